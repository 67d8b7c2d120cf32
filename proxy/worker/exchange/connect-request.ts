import type { IpAddress } from "#mesh/ip-address.ts";
import { PROXY_PORTS } from "#mesh/ports.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { parseSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import type { IncomingTunnel } from "../../tunnel/tunnel.ts";

/** Why a tunnel request is refused before anybody is asked, with the status of the answer. */
export interface RequestProblem {
  readonly status: 400 | 503;
  readonly reason: "not-connect" | "bad-authority" | "authority-mismatch" | "self-call";
  readonly message: string;
}

/**
 * Where a tunnel wants to go: to a port of the pod that it was addressed to, never to another address, or the tunnel port
 * would reach everything that the pod can; and never to the proxy's own ports.
 * @param ownAddress the pod's address at which the tunnel connection arrived
 */
export const readConnect = (
  { method, authority }: Pick<IncomingTunnel, "method" | "authority">,
  ownAddress: IpAddress,
): Result<SocketAddress, RequestProblem> => {
  if (method !== "CONNECT") {
    return err({ status: 400, reason: "not-connect", message: `method ${JSON.stringify(method.slice(0, 32))}` });
  }
  const target = targetAt(authority, ownAddress) ?? parseSocketAddress(authority);
  if (!target.ok) return err({ status: 400, reason: "bad-authority", message: target.error });
  if (target.value.address !== ownAddress) {
    const message = `authority ${authority} is not the address ${ownAddress} that was connected to`;
    return err({ status: 400, reason: "authority-mismatch", message });
  }
  if (PROXY_PORTS.has(target.value.port)) {
    return err({ status: 503, reason: "self-call", message: `port ${target.value.port} is the proxy's own` });
  }
  return ok(target.value);
};

/** What nearly every caller writes, in the one canonical form of our own address: the rest is only a port. */
const targetAt = (authority: string, own: IpAddress): Result<SocketAddress, never> | undefined => {
  const isOwn = authority.startsWith(own) && authority[own.length] === ":" && !own.includes(":");
  if (!isOwn || !/^[1-9][0-9]{0,4}$/.test(authority.slice(own.length + 1))) return undefined;
  const port = Number(authority.slice(own.length + 1));
  return port <= 65_535 ? ok({ address: own, port }) : undefined;
};
