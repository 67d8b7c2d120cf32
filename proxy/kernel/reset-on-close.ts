import type { Socket } from "node:net";
import { setsockopt } from "./libc.ts";
import { socketDescriptor } from "./socket-descriptor.ts";

const SOL_SOCKET = 1;
const SO_LINGER = 13;

/** struct linger: on, seconds; i32 each (socket(7)). */
const RESET = new Uint8Array(Int32Array.of(1, 0).buffer);
const ORDERLY = new Uint8Array(Int32Array.of(0, 0).buffer);

/**
 * Whether closing a socket, also by the death of its process, sends RST instead of an orderly end. A socket that is closed
 * already stays as it is. Node's own `resetAndDestroy` does not close a socket at all whose end is still being sent.
 */
export const setResetOnClose = (socket: Socket, resets: boolean): void => {
  if (socket.destroyed) return;
  setsockopt(socketDescriptor(socket), SOL_SOCKET, SO_LINGER, resets ? RESET : ORDERLY, RESET.byteLength);
};
