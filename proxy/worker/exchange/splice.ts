import type { ByteReader, ByteStream } from "../../tunnel/byte-stream.ts";

/**
 * How a connection ended. `reset`: one end was broken off, and the other was told so. `idle`: nothing moved for too long.
 * `stopped`: we ended it.
 */
export type SpliceEnd =
  | { readonly kind: "finished" | "idle" | "stopped" }
  | { readonly kind: "reset"; readonly by: "client" | "server"; readonly reason: string };

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
 * @returns how to break both off
 */
export const splice = (
  client: ByteStream,
  server: ByteStream,
  idleTimeoutMs: number,
  events: SpliceEvents,
): (() => void) => {
  const exchange = new Exchange(client, server, idleTimeoutMs, events);
  // Not at once: it may be over with the first bytes, and whoever asks for it has yet to take note of it.
  queueMicrotask(() => exchange.start());
  return () => exchange.finish({ kind: "stopped" });
};

class Exchange {
  readonly #sides: readonly [Side, Side];
  readonly #idleTimeoutMs: number;
  readonly #events: SpliceEvents;
  #movedAt = performance.now();
  #idleTimer: NodeJS.Timeout;
  #isOver = false;

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

  moved(by: Side["name"], bytes: number): void {
    this.#movedAt = performance.now();
    this.#events.sent(by === "client" ? "request" : "response", bytes);
  }

  /** A stream takes more: what was held back for it is consumed. */
  writable(stream: ByteStream): void {
    for (const side of this.#sides) if (side.target === stream) side.release();
  }

  closed(): void {
    if (this.#sides.every(({ isClosed }) => isClosed)) this.finish({ kind: "finished" });
  }

  finish(end: SpliceEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#idleTimer);
    if (end.kind !== "finished") for (const { stream } of this.#sides) stream.reset();
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
    if (problem !== undefined) return this.#exchange.finish({ kind: "reset", by: this.name, reason: problem });
    this.isClosed = true;
    this.#exchange.closed();
  }

  release(): void {
    const held = this.#held;
    this.#held = 0;
    if (held > 0) this.stream.consumed(held);
  }
}
