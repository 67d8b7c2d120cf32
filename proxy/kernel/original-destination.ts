import { getSocketOption, IP6T_SO_ORIGINAL_DST, SO_ORIGINAL_DST } from "./socket-options.ts";

/** Where a redirected connection was going: 4 or 16 address bytes, and the port. */
export interface OriginalDestination {
  readonly address: Uint8Array;
  readonly port: number;
}

/**
 * Asks connection tracking where a captured connection was going before it was redirected.
 * @param family of the connection itself: 4 also for IPv4 that arrived on an IPv6 socket
 * @returns where the connection itself goes if nothing was redirected: somebody connected to the proxy's own port; undefined
 *   where connection tracking knows nothing of it
 */
export const originalDestination = (fd: number, family: 4 | 6): OriginalDestination | undefined => {
  // sockaddr_in: family, port (big-endian), 4 address bytes; sockaddr_in6: family, port, flow label, 16 address bytes.
  const address =
    family === 4 ? getSocketOption(fd, SO_ORIGINAL_DST, 16) : getSocketOption(fd, IP6T_SO_ORIGINAL_DST, 28);
  if (typeof address === "string") return undefined;
  const port = ((address[2] ?? 0) << 8) | (address[3] ?? 0);
  return { address: family === 4 ? address.slice(4, 8) : address.slice(8, 24), port };
};
