import { getSocketOption, SO_PEERCRED } from "./socket-options.ts";

/** Who is at the other end of a unix socket, as the kernel saw them at connect time (unix(7), SO_PEERCRED). */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** @throws Error if the descriptor is no connected unix socket. */
export const peerCredentials = (fd: number): PeerCredentials => {
  const value = getSocketOption(fd, SO_PEERCRED, 12);
  if (typeof value === "string") throw new Error(`getsockopt SO_PEERCRED: ${value}`);
  const view = new DataView(value.buffer);
  return { pid: view.getInt32(0, true), uid: view.getUint32(4, true), gid: view.getUint32(8, true) };
};
