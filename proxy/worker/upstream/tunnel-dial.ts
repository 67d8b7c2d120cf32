import type { Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { handshakeRefusal } from "#certs/tls/handshake-refusal.ts";
import { verifyServer } from "#certs/tls/server-check.ts";
import { type ClientContext, connectOptions, HANDSHAKE_TIMEOUT_MS } from "#certs/tls/tls-contexts.ts";
import type { IpAddress } from "#mesh/ip-address.ts";
import { TUNNEL_PORT } from "#mesh/ports.ts";
import type { SpiffeId } from "#mesh/spiffe-id.ts";
import type { TunnelConnection } from "../../tunnel/tunnel.ts";
import { openTunnelConnection } from "../../tunnel/tunnel-client.ts";
import type { TunnelLimits } from "../../tunnel/tunnel-limits.ts";
import { dial, DialError, type DialLimits } from "./dial.ts";
import { whenAborted } from "./when-aborted.ts";

/** At which step a tunnel connection failed; the first is before it was dialled, all of them are before a byte of the application was sent. */
export type TunnelDialStep = "trust-domain" | "connect-timeout" | "connect" | "tls" | "identity" | "settings";

/** Why there is no tunnel connection. */
export class TunnelDialError extends Error {
  readonly step: TunnelDialStep;

  constructor(step: TunnelDialStep, message: string) {
    super(message);
    this.name = "TunnelDialError";
    this.step = step;
  }
}

/** Whom to reach, and as whom. */
export interface TunnelTarget {
  readonly address: IpAddress;
  /** Who must answer. */
  readonly identity: SpiffeId;
}

/** Looks after a connection as long as it is open. */
export type WatchPeer = (socket: TLSSocket, connection: Pick<TunnelConnection, "drain" | "destroy">) => void;

/**
 * TCP to the pod's tunnel port, TLS with both sides proven, HTTP/2 up to the other end's SETTINGS.
 * @param descriptor an outbound socket of the calling pod
 * @param watch told of the connection when it is open, to end it when its peer is not trusted any more
 * @throws TunnelDialError
 */
export const dialTunnel = async (
  descriptor: number,
  target: TunnelTarget,
  context: ClientContext,
  limits: TunnelLimits,
  dialLimits: DialLimits,
  watch: WatchPeer,
  onClosed: () => void,
): Promise<TunnelConnection> => {
  const raw = await connectTcp(descriptor, target.address, dialLimits);
  const stopWaiting = whenAborted(dialLimits.signal, () => void raw.destroy());
  try {
    const socket = await secure(raw, target.identity, context);
    const connection = await openTunnelConnection(socket, limits, onClosed).catch((error: unknown) => {
      const detail = error instanceof Error ? error.message : String(error);
      throw new TunnelDialError("settings", `${detail}; it may not accept our certificate`);
    });
    watch(socket, connection);
    return connection;
  } catch (error) {
    raw.destroy();
    throw error;
  } finally {
    stopWaiting();
  }
};

const connectTcp = async (descriptor: number, address: IpAddress, limits: DialLimits): Promise<Socket> => {
  try {
    return await dial(descriptor, { target: { address, port: TUNNEL_PORT }, allowHalfOpen: false, ...limits });
  } catch (error) {
    const isTimeout = error instanceof DialError && error.errno === "ETIMEDOUT";
    const hint = isTimeout ? "; a NetworkPolicy may block port 15008" : "";
    throw new TunnelDialError(
      isTimeout ? "connect-timeout" : "connect",
      `${error instanceof Error ? error.message : String(error)}${hint}`,
    );
  }
};

const secure = (raw: Socket, identity: SpiffeId, context: ClientContext): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ socket: raw, ...connectOptions(context, identity) });
    const fail = (step: "tls" | "identity", message: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new TunnelDialError(step, message));
    };
    const timer = setTimeout(
      () => fail("tls", `no TLS handshake within ${HANDSHAKE_TIMEOUT_MS} ms`),
      HANDSHAKE_TIMEOUT_MS,
    );
    socket.on("error", (error) => {
      const { reason, message } = handshakeRefusal(error);
      fail(reason === "unexpected-identity" ? "identity" : "tls", message);
    });
    socket.once("close", () => fail("tls", "the connection ended within the TLS handshake"));
    socket.once("secureConnect", () => {
      const peer = verifyServer(socket, identity);
      if (!peer.ok) return fail(peer.error.reason === "unexpected-identity" ? "identity" : "tls", peer.error.message);
      clearTimeout(timer);
      resolve(socket);
    });
  });
