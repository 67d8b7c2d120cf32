import { readFileSync } from "node:fs";
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

const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

/**
 * Whether a process may enter network namespaces and change them itself, so that what it is given in one is nothing it could not
 * have had. False for one that is gone.
 */
export const mayEnterNamespaces = (pid: number): boolean => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
    return [CAP_NET_ADMIN, CAP_SYS_ADMIN].every((capability) => ((effective >> capability) & 1n) === 1n);
  } catch {
    return false;
  }
};
