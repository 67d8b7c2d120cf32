import type { Socket } from "node:net";
import { type IpAddress, ipAddressFromBytes, parseIpAddress } from "#mesh/ip-address.ts";
import { PROXY_PORTS } from "#mesh/ports.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import type { SocketAddress } from "#mesh/socket-address.ts";
import { originalDestination } from "../../kernel/original-destination.ts";
import { socketDescriptor } from "../../kernel/socket-descriptor.ts";

/** A connection that was redirected to us: who called whom. */
export interface CapturedConnection {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
}

/** Why a connection cannot be served at all. `gone`: it ended before we looked. */
export type CaptureProblem = "self-call" | "gone";

/**
 * Reads who called whom. A connection to one of the proxy's own ports, by whatever address, was not redirected or asks the
 * proxy to call itself: it is refused.
 */
export const readCaptured = (socket: Socket): Result<CapturedConnection, CaptureProblem> => {
  const source = peerAddress(socket);
  if (!source) return err("gone");
  const original = originalDestination(socketDescriptor(socket), source.address.includes(":") ? 6 : 4);
  if (!original) return err("self-call");
  const address = ipAddressFromBytes(original.address);
  if (!address.ok || PROXY_PORTS.has(original.port)) return err("self-call");
  return ok({ source, destination: { address: address.value, port: original.port } });
};

/** The address of the other end; IPv4 that arrived on an IPv6 socket is IPv4. */
export const peerAddress = (socket: Socket): SocketAddress | undefined =>
  toAddress(socket.remoteAddress, socket.remotePort);

/** The address at which we were called. */
export const ownAddress = (socket: Socket): SocketAddress | undefined =>
  toAddress(socket.localAddress, socket.localPort);

const toAddress = (address: string | undefined, port: number | undefined): SocketAddress | undefined => {
  if (address === undefined || port === undefined) return undefined;
  const mapped = address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
  if (!mapped.includes(":")) return { address: mapped as IpAddress, port };
  const parsed = parseIpAddress(mapped.split("%")[0] ?? "");
  return parsed.ok ? { address: parsed.value, port } : undefined;
};
