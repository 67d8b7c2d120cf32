import type { ByteReader, ByteStream } from "../../tunnel/byte-stream.ts";

/**
 * How a connection ended. `reset`: one end was broken off, and the other was told so. `idle`: nothing moved for too long.
 * `stopped`: we broke it off. `drained`: we ended it in order.
 */
export type SpliceEnd =
  | { readonly kind: "finished" | "idle" | "stopped" | "drained" }
  | { readonly kind: "reset"; readonly by: "client" | "server"; readonly reason: string };

/** How an exchange is ended from outside. */
export interface Splice {
  /** Breaks both streams off. */
  readonly stop: () => void;
  /**
   * Ends both streams in order: what came so far is handed on, then each side sees an end and not a reset. What comes after
   * that has no reader; a side that does not end in turn is let go of after {@link LAST_END_MS}.
   */
  readonly drain: () => void;
}

/** How long a side that was told the end may take to end too. */
export const LAST_END_MS = 2_000;

export interface SpliceEvents {
  /** Bytes that have been handed on, in the direction of the request or of the answer. */
  readonly sent: (direction: "request" | "response", bytes: number) => void;
  /** Called once, after {@link splice} has returned. */
  readonly ended: (end: SpliceEnd) => void;
}

/**
 * Joins two byte streams until both have ended. Each direction ends by itself (half-close) and waits while its reader is slow;
 * an end that is broken off breaks off the other.
 * @param idleTimeoutMs ends both when nothing moved in either direction for so long
 */
export const splice = (client: ByteStream, server: ByteStream, idleTimeoutMs: number, events: SpliceEvents): Splice => {
  const exchange = new Exchange(client, server, idleTimeoutMs, events);
  // Not at once: it may be over with the first bytes, and whoever asks for it has yet to take note of it.
  queueMicrotask(() => exchange.start());
  return { stop: () => exchange.finish({ kind: "stopped" }), drain: () => exchange.drain() };
};

class Exchange {
  readonly #sides: readonly [Side, Side];
  readonly #idleTimeoutMs: number;
  readonly #events: SpliceEvents;
  #movedAt = performance.now();
  #idleTimer: NodeJS.Timeout;
  #isOver = false;
  #isDraining = false;

  constructor(client: ByteStream, server: ByteStream, idleTimeoutMs: number, events: SpliceEvents) {
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#events = events;
    this.#sides = [new Side(this, "client", client, server), new Side(this, "server", server, client)];
    this.#idleTimer = setTimeout(this.#watchIdle, idleTimeoutMs);
  }

  start(): void {
    const gone = this.#sides.find(({ stream }) => stream.isGone);
    if (gone) return this.finish({ kind: "reset", by: gone.name, reason: "gone before it began" });
    for (const side of this.#sides) if (!this.#isOver) side.stream.read(side);
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  drain(): void {
    if (this.#isOver || this.#isDraining) return;
    this.#isDraining = true;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.finish({ kind: "drained" }), LAST_END_MS);
    for (const { stream } of this.#sides) stream.end();
  }

  moved(by: Side["name"], bytes: number): void {
    this.#movedAt = performance.now();
    this.#events.sent(by === "client" ? "request" : "response", bytes);
  }

  /** A stream takes more: what was held back for it is consumed. */
  writable(stream: ByteStream): void {
    for (const side of this.#sides) if (side.target === stream) side.release();
  }

  closed(): void {
    if (!this.#sides.every(({ isClosed }) => isClosed)) return;
    this.finish({ kind: this.#isDraining ? "drained" : "finished" });
  }

  finish(end: SpliceEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#idleTimer);
    for (const { stream, isClosed } of this.#sides) {
      if (end.kind === "drained" && !isClosed) stream.close();
      else if (end.kind !== "finished" && end.kind !== "drained") stream.reset();
    }
    this.#events.ended(end);
  }

  readonly #watchIdle = (): void => {
    const restMs = this.#movedAt + this.#idleTimeoutMs - performance.now();
    if (restMs <= 0) this.finish({ kind: "idle" });
    else this.#idleTimer = setTimeout(this.#watchIdle, restMs);
  };
}

/** One of the two streams, as it is read. */
class Side implements ByteReader {
  readonly #exchange: Exchange;
  readonly name: "client" | "server";
  readonly stream: ByteStream;
  /** Where its bytes go. */
  readonly target: ByteStream;
  /** Bytes that the target has queued: the stream has to wait for them. */
  #held = 0;
  isClosed = false;

  constructor(exchange: Exchange, name: Side["name"], stream: ByteStream, target: ByteStream) {
    this.#exchange = exchange;
    this.name = name;
    this.stream = stream;
    this.target = target;
  }

  data(bytes: Uint8Array): void {
    // The target was told the end: there is nobody to hand it on to, and it must not be in the way of the end.
    if (this.#exchange.isDraining) return this.stream.consumed(bytes.length);
    this.#exchange.moved(this.name, bytes.length);
    if (this.target.write(bytes)) this.stream.consumed(bytes.length);
    else this.#held += bytes.length;
  }

  end(): void {
    this.target.end();
  }

  writable(): void {
    this.#exchange.writable(this.stream);
  }

  closed(problem: string | undefined): void {
    if (problem !== undefined && !this.#exchange.isDraining) {
      return this.#exchange.finish({ kind: "reset", by: this.name, reason: problem });
    }
    this.isClosed = true;
    this.#exchange.closed();
  }

  release(): void {
    const held = this.#held;
    this.#held = 0;
    if (held > 0) this.stream.consumed(held);
  }
}
