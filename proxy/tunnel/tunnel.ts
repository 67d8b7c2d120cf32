import type { ByteStream } from "./byte-stream.ts";

/** What a tunnel is asked for: CONNECT with these headers. */
export interface TunnelRequest {
  /** `address:port` of the connection that the other end shall make. */
  readonly authority: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Called when the connection that carries the tunnel takes no more of them: whoever can do without it lets go of it. */
  readonly onLeaving?: () => void;
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
  destroy(reason: string): void;
}

/** One request at the side that was called. It is answered once, by {@link accept} or {@link refuse}. */
export interface IncomingTunnel {
  readonly method: string;
  readonly authority: string;
  header(name: string): string | undefined;
  /** Whether the caller has given up already. */
  readonly isGone: boolean;
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
