import { Socket } from "node:net";
import { type DescriptorMessage, receiveDescriptors } from "./descriptor-channel.ts";

/** The descriptors of its channel that the supervisor gives to every child at its start. */
const BELL = 3;
const PACKETS = 4;

/** The child's end of the channel to the supervisor. */
export interface SupervisorChannel {
  /** Sends bytes back: a worker's records. */
  write(bytes: Uint8Array): void;
}

/** @param onGone the supervisor has closed the channel: it is gone, or wants us gone */
export const openSupervisorChannel = (
  onMessage: (message: DescriptorMessage) => void,
  onGone: () => void,
): SupervisorChannel => {
  const bell = new Socket({ fd: BELL });
  bell.on("data", () => {
    for (const message of receiveDescriptors(PACKETS)) onMessage(message);
  });
  bell.on("error", () => undefined);
  bell.once("close", onGone);
  return { write: (bytes) => bell.write(bytes) };
};
