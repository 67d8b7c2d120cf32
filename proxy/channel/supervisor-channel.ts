import { Socket } from "node:net";
import { type ChannelEnds, type DescriptorMessage, receiveDescriptors } from "./descriptor-channel.ts";

/** The descriptors of its channel that the supervisor gives to every child at its start. */
const ENDS: ChannelEnds = { bell: 3, packets: 4 };

/** The receiving end of a channel: a child's. */
export interface SupervisorChannel {
  /** Sends bytes back: a worker's records. */
  write(bytes: Uint8Array): void;
  close(): void;
}

/** @param onGone the supervisor has closed the channel: it is gone, or wants us gone */
export const openSupervisorChannel = (
  onMessage: (message: DescriptorMessage) => void,
  onGone: () => void,
  ends = ENDS,
): SupervisorChannel => {
  const bell = new Socket({ fd: ends.bell });
  bell.on("data", () => {
    for (const message of receiveDescriptors(ends.packets)) onMessage(message);
  });
  bell.on("error", () => undefined);
  bell.once("close", onGone);
  return { write: (bytes) => bell.write(bytes), close: () => bell.destroy() };
};
