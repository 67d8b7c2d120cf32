import type { Duplex } from "node:stream";

/**
 * The bytes of one proxied connection: a TCP socket or a tunnel stream. Half-close works in both directions; a reset is passed
 * on as what the transport has for it (RFC 9113 section 8.5).
 */
export interface ByteStream {
  readonly duplex: Duplex;
  /**
   * Whether either side broke it off, or the connection that carries it was lost. To be asked when the duplex says that it
   * ended: an HTTP/2 stream says so then as well, and what came would be taken for everything.
   */
  readonly isBroken: boolean;
  /** Ends the stream so that the other end sees an error and not an end. */
  reset(): void;
}

/** What a tunnel is asked for: CONNECT with these headers. */
export interface TunnelRequest {
  /** `address:port` of the connection that the other end shall make. */
  readonly authority: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A tunnel connection as the side that dialled it has it. */
export interface TunnelConnection {
  /** How many more tunnels fit into it now; 0 once either side is draining it. */
  readonly room: number;
  readonly openTunnels: number;
  /**
   * Opens a tunnel. Resolves when the other end answered 200, that is when it is connected to the application.
   * @throws TunnelError
   */
  open(request: TunnelRequest): Promise<ByteStream>;
  /** No new tunnels; the connection ends with its last one. */
  drain(): void;
  destroy(reason: string): void;
}

/** A tunnel connection as the side that was called has it. */
export interface TunnelServer {
  readonly openTunnels: number;
  /** Says that no new tunnels are taken (GOAWAY); the connection ends with its last one. */
  drain(): void;
  destroy(): void;
}

/** One request at the side that was called. It is answered once, by {@link accept} or {@link refuse}. */
export interface IncomingTunnel {
  readonly method: string;
  readonly authority: string;
  header(name: string): string | undefined;
  /** Whether the caller has given up already. */
  readonly isGone: boolean;
  /** Begin to read at once: Node.js ends a stream that nobody reads with its other direction. */
  accept(headers: Readonly<Record<string, string>>): ByteStream;
  /** What was accepted already is reset. */
  refuse(status: 400 | 401 | 503): void;
}

/** Why a tunnel did not open. */
export class TunnelError extends Error {
  /**
   * `refused`: the other end answered, with `status`. `broken`: the connection or the tunnel ended before it did.
   * `unanswered`: it took too long.
   */
  readonly kind: "refused" | "broken" | "unanswered";
  readonly status: number | undefined;

  constructor(kind: TunnelError["kind"], message: string, status?: number) {
    super(message);
    this.name = "TunnelError";
    this.kind = kind;
    this.status = status;
  }
}

/** Bounds of a tunnel connection, the same for both sides. Sizes in bytes. */
export interface TunnelLimits {
  /** What one tunnel may hold for a reader that does not read. */
  readonly streamWindow: number;
  /** Many times the stream's, so that one slow tunnel does not stop the others. */
  readonly connectionWindow: number;
  readonly maxFrameSize: number;
  readonly maxHeaderBytes: number;
  /** Tunnels that we open on one connection. */
  readonly maxTunnels: number;
  /** Tunnels that a caller may open on one connection. */
  readonly maxIncomingTunnels: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** How long the other end may take from the end of the TLS handshake to its SETTINGS. */
  readonly settingsTimeoutMs: number;
  /** How long the other end may take to answer a request; it connects to the application meanwhile. */
  readonly answerTimeoutMs: number;
}

export const TUNNEL_LIMITS: TunnelLimits = {
  streamWindow: 1024 * 1024,
  connectionWindow: 16 * 1024 * 1024,
  maxFrameSize: 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxTunnels: 100,
  maxIncomingTunnels: 200,
  pingIntervalMs: 10_000,
  pingTimeoutMs: 20_000,
  settingsTimeoutMs: 10_000,
  // The other end gives up on its application after 10 s, and says so.
  answerTimeoutMs: 15_000,
};
