import type { Socket } from "node:net";
import { socketDescriptor } from "./socket-descriptor.ts";
import { getSocketOption, TCP_INFO } from "./socket-options.ts";

/** `tcpi_state`, the first byte of struct tcp_info (linux/tcp.h). */
const ESTABLISHED = 1;

/**
 * Whether the peer of a connected TCP socket has ended or reset it already, as the kernel knows it: on loopback from the moment on
 * that the peer says so, before the event loop does.
 */
export const hasPeerEnded = (socket: Socket): boolean => {
  if (socket.destroyed) return true;
  const info = getSocketOption(socketDescriptor(socket), TCP_INFO, 1);
  return typeof info !== "string" && info[0] !== ESTABLISHED;
};
