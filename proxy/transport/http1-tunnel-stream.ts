import type { ByteStream } from "../tunnel/byte-stream.ts";
import { BUFFERED_BYTES, type ByteStreamHandler, type Http1ByteStream } from "./http1-byte-stream.ts";

/**
 * What is written to one tunnel after another is gathered here, until somebody writes to another one or whoever writes is done: a
 * tunnel copies what it is given, so that none needs room of its own.
 */
const gathered: { readonly slab: Buffer; length: number; of: TunnelByteStream | undefined } = {
  slab: Buffer.allocUnsafeSlow(BUFFERED_BYTES),
  length: 0,
  of: undefined,
};

/** A tunnel: what is written leaves as soon as whoever writes is done, and is gathered with other tunnels' by its connection. */
export class TunnelByteStream implements Http1ByteStream {
  readonly #stream: ByteStream;
  readonly #handler: ByteStreamHandler;
  isBlocked = false;
  isFinished = false;
  sends = 0;
  #isFlushDue = false;
  #isReading = true;
  /** Came and was not given back to the tunnel's window. */
  #owed = 0;
  #isEnding = false;
  #wasFull = false;
  #isGone = false;

  constructor(stream: ByteStream, handler: ByteStreamHandler) {
    this.#stream = stream;
    this.#handler = handler;
    // What came already is told at once, and whoever is told is not ready yet.
    queueMicrotask(() => this.#begin());
  }

  get isFull(): boolean {
    const isFull = this.isBlocked;
    if (isFull) this.#wasFull = true;
    return isFull;
  }

  write(bytes: Uint8Array): void {
    if (this.#isEnding || this.#isGone) return;
    if (gathered.of !== this || gathered.length + bytes.length > BUFFERED_BYTES) gathered.of?.sendGathered();
    if (bytes.length > BUFFERED_BYTES) this.#send(bytes);
    else {
      gathered.of = this;
      gathered.slab.set(bytes, gathered.length);
      gathered.length += bytes.length;
    }
    this.#flushSoon();
  }

  end(): void {
    if (this.#isEnding || this.#isGone) return;
    this.#isEnding = true;
    this.#flushSoon();
  }

  setReading(isReading: boolean): void {
    this.#isReading = isReading;
    if (isReading) this.#pay();
  }

  rest(): void {
    // It keeps none.
  }

  abort(reason: string): void {
    if (this.#isGone) return;
    this.#stream.reset();
    this.#goneSoon(reason);
  }

  destroy(reason: string): void {
    if (this.#isGone) return;
    if (!this.#isEnding) this.#stream.end();
    this.#isEnding = true;
    this.#stream.close();
    this.#goneSoon(reason);
  }

  #begin(): void {
    if (this.#isGone) return;
    if (this.#stream.isGone) return this.#gone("the connection was lost");
    this.#stream.read({
      data: (bytes) => this.#onData(bytes),
      end: () => this.#onEnd(),
      writable: () => this.#onWritable(),
      closed: (problem) => this.#gone(problem ?? "the connection was closed"),
    });
  }

  #onData(bytes: Uint8Array): void {
    if (this.#isGone) return;
    this.#owed += bytes.length;
    try {
      this.#handler.data(bytes);
    } catch (error) {
      this.#failed(error);
    }
    if (this.#isReading) this.#pay();
  }

  #pay(): void {
    const owed = this.#owed;
    this.#owed = 0;
    // Also of a tunnel that is over: its connection still waits for it.
    if (owed > 0) this.#stream.consumed(owed);
  }

  #onWritable(): void {
    this.isBlocked = false;
    if (!this.#wasFull || this.#isGone) return;
    this.#wasFull = false;
    this.#handler.writable();
  }

  #onEnd(): void {
    try {
      this.#handler.ended();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** What a handler throws ends the connection, and goes on. */
  #failed(error: unknown): never {
    this.abort("a handler failed");
    throw error;
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isFlushDue = false;
    if (gathered.of === this) this.sendGathered();
    if (this.#isGone) return;
    if (this.#isEnding && !this.isFinished) {
      this.isFinished = true;
      this.#stream.end();
      this.#handler.finished?.();
    } else if (this.isBlocked) this.#handler.blocked();
  };

  /** Sends what was gathered for this tunnel. */
  sendGathered(): void {
    const bytes = gathered.slab.subarray(0, gathered.length);
    gathered.length = 0;
    gathered.of = undefined;
    if (!this.#isGone && bytes.length > 0) this.#send(bytes);
  }

  #send(bytes: Uint8Array): void {
    this.sends += 1;
    if (!this.#stream.write(bytes)) this.isBlocked = this.#wasFull = true;
  }

  /** Whoever ended it is told after it has returned. */
  #goneSoon(reason: string): void {
    if (gathered.of === this) gathered.of = undefined;
    if (gathered.of === undefined) gathered.length = 0;
    this.#isEnding = true;
    queueMicrotask(() => this.#gone(reason));
  }

  #gone(reason: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#pay();
    if (gathered.of === this) gathered.of = undefined;
    if (gathered.of === undefined) gathered.length = 0;
    this.#handler.gone(reason);
  }
}
