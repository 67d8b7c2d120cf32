import type { Socket } from "node:net";
import { setTimeout } from "node:timers/promises";

/** Writes bytes one by one, each in a segment of its own, as long as the other side takes them. */
export const writeBytewise = async (socket: Socket, bytes: Uint8Array): Promise<void> => {
  socket.setNoDelay(true);
  for (const byte of bytes) {
    if (!socket.writable) return;
    socket.write(Uint8Array.of(byte));
    await setTimeout(1);
  }
};
