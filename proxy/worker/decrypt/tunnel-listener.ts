import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { verifyClient } from "#certs/tls/client-check.ts";
import type { Credentials } from "#certs/verify/credentials.ts";
import { handshakeRefusal } from "#certs/tls/handshake-refusal.ts";
import type { VerifiedPeer } from "#certs/tls/peer-check.ts";
import type { RefusalReason } from "#certs/verify/refusal.ts";
import { secureContextOptions, serverOptions } from "#certs/tls/tls-contexts.ts";
import type { SpiffeId, TrustDomain } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

export interface TunnelListenerEvents {
  /** A caller who proved who it is. Nothing has been read yet. */
  readonly onPeer: (socket: TLSSocket, peer: VerifiedPeer<SpiffeId>) => void;
  /** A caller who did not. The socket is destroyed afterwards. */
  readonly onRefused: (socket: Socket, problem: HandshakeProblem) => void;
}

/** What is wrong with a caller, or with how many there are. */
export interface HandshakeProblem {
  readonly reason: RefusalReason | "too-many-handshakes";
  readonly message: string;
}

/**
 * The TLS side of one pod's tunnel port. The certificate is the pod's, because the listener is; what the caller asks for by
 * name (SNI) decides nothing.
 */
export class TunnelListener {
  readonly #server: Server;
  readonly #trustDomain: TrustDomain;
  readonly #maxHandshakes: number;
  readonly #events: TunnelListenerEvents;
  /** Every accepted socket, until it is closed. */
  readonly #sockets = new Set<Socket>();
  #handshakes = 0;

  constructor(credentials: Credentials, bundle: TrustBundle, maxHandshakes: number, events: TunnelListenerEvents) {
    this.#trustDomain = bundle.trustDomain;
    this.#maxHandshakes = maxHandshakes;
    this.#events = events;
    this.#server = createServer(serverOptions(credentials, bundle));
    this.#server.on("secureConnection", (socket) => this.#onHandshake(socket));
    this.#server.on("tlsClientError", (error, socket) => {
      this.#handshakes--;
      events.onRefused(socket, handshakeRefusal(error));
      socket.destroy();
    });
  }

  /** Connections that are open, or within their handshake. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Presents and trusts something new from the next handshake on. */
  renew(credentials: Credentials, bundle: TrustBundle): void {
    this.#server.setSecureContext(secureContextOptions(credentials, bundle));
  }

  /** Starts the handshake on an accepted connection. */
  accept(socket: Socket): void {
    if (this.#handshakes >= this.#maxHandshakes) {
      const message = `${this.#maxHandshakes} handshakes are under way already`;
      this.#events.onRefused(socket, { reason: "too-many-handshakes", message });
      socket.destroy();
      return;
    }
    this.#handshakes++;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    this.#server.emit("connection", socket);
  }

  /** Ends every connection, also within its handshake. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #onHandshake(socket: TLSSocket): void {
    this.#handshakes--;
    socket.on("error", () => socket.destroy());
    const peer = verifyClient(socket, this.#trustDomain);
    if (peer.ok) return this.#events.onPeer(socket, peer.value);
    this.#events.onRefused(socket, peer.error);
    socket.destroy();
  }
}
