import { Http2Connection } from "../connection.ts";
import type { Http2Handler } from "../handler.ts";
import type { Http2Limits } from "../limits.ts";

/** What differs from one test to another; the rest does nothing. */
export type PairHandler = Partial<Http2Handler>;

/** A client and a server whose bytes go to and fro in memory, in pieces of any size. */
export class ConnectedPair {
  readonly client: Http2Connection;
  readonly server: Http2Connection;
  /** How many bytes the next piece has at most. */
  readonly #pieceBytes: () => number;

  constructor(limits: Http2Limits, server: PairHandler, client: PairHandler = {}, pieceBytes = () => 70_000) {
    this.client = new Http2Connection("client", limits, { ...IDLE, ...client }, 0);
    this.server = new Http2Connection("server", limits, { ...IDLE, ...server }, 0);
    this.#pieceBytes = pieceBytes;
  }

  /** Carries bytes until neither side has any. */
  settle(): void {
    for (;;) {
      const moved = this.#carry(this.client, this.server) + this.#carry(this.server, this.client);
      if (moved === 0) return;
    }
  }

  #carry(from: Http2Connection, to: Http2Connection): number {
    const parts = from.takeOutput();
    const bytes = Buffer.concat(parts);
    if (parts.length > 0) from.outputWritten();
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + this.#pieceBytes());
      const lent = Buffer.from(bytes.subarray(at, end));
      at += to.receive(lent, 0);
      lent.fill(0xaa);
    }
    from.pump();
    return bytes.length;
  }
}

const IDLE: Http2Handler = {
  request: () => {
    throw new Error("no request was expected");
  },
  ready: () => undefined,
  goAway: () => undefined,
  pong: () => undefined,
  streamClosed: () => undefined,
  wake: () => undefined,
};
