import type { Duplex } from "node:stream";
import { Output } from "#wire/output.ts";
import { readLent } from "./read-bytes.ts";
import { resetConnection } from "./reset-connection.ts";

/** So much may wait to be sent; more is not welcome. Also what may have come and not been consumed. */
export const BUFFERED_BYTES = 64 * 1024;

/** What happens on a stream of bytes. */
export interface ByteStreamHandler {
  /** @param chunk is lent: whoever wants it for longer than the call copies it */
  data(chunk: Uint8Array): void;
  /** The peer has ended its direction. */
  ended(): void;
  /** Bytes are welcome again, after {@link Http1ByteStream.isFull} was true. May come more often than that. */
  writable(): void;
  /** The peer does not take what was written, until {@link writable}. */
  blocked(): void;
  /** Asked before something leaves: whether it may. */
  mayLeave?(): boolean;
  /** What was written has left, and our end after it. */
  finished?(): void;
  /** The stream is gone. Called once; nothing follows. */
  gone(reason: string): void;
}

/**
 * What carries a connection of HTTP/1. What is written in one turn of the event loop leaves in one piece. A peer that ends its
 * direction leaves ours open.
 */
export interface Http1ByteStream {
  /** Whether no more should be written until {@link ByteStreamHandler.writable}. */
  readonly isFull: boolean;
  /** Whether the peer does not take what was written. */
  readonly isBlocked: boolean;
  /** Whether what was written has left, and our end after it. */
  readonly isFinished: boolean;
  /** How often something has left for the stream below: while it stays the same, the peer has seen nothing new. */
  readonly sends: number;
  /** @param bytes are copied */
  write(bytes: Uint8Array): void;
  /** Ends our direction, after what was written. */
  end(): void;
  /** Whether more is read than what has come already. */
  setReading(isReading: boolean): void;
  /** The connection has nothing to send for a while: it needs no room. */
  rest(): void;
  /** Breaks the connection off so that the peer cannot take it for an end. */
  abort(reason: string): void;
  /** Closes both directions now; what waits is lost. */
  destroy(reason: string): void;
}

/** A socket or TLS: what is written leaves after everything that was readable has been read. */
export class DuplexByteStream implements Http1ByteStream {
  readonly #duplex: Duplex;
  readonly #handler: ByteStreamHandler;
  readonly #output = new Output();
  #isFlushDue = false;
  #isResting = false;
  #isEnding = false;
  #wasFull = false;
  #isGone = false;
  #sends = 0;
  #reason = "the connection was lost";

  constructor(duplex: Duplex, handler: ByteStreamHandler) {
    this.#duplex = duplex;
    this.#handler = handler;
    duplex.allowHalfOpen = true;
    readLent(duplex, (chunk) => this.#guard(() => handler.data(chunk)));
    duplex.on("finish", () => this.#handler.finished?.());
    duplex.on("end", () => this.#guard(() => handler.ended()));
    duplex.on("drain", this.#flush);
    duplex.on("error", (error: Error) => (this.#reason = error.message));
    duplex.on("close", this.#onClose);
    if (duplex.destroyed || duplex.readableEnded) setImmediate(this.#onClose);
  }

  /** Whether no more should be written until {@link ByteStreamHandler.writable}. */
  get isFull(): boolean {
    const isFull = this.#output.length >= BUFFERED_BYTES || this.#duplex.writableNeedDrain;
    if (isFull) this.#wasFull = true;
    return isFull;
  }

  /** Whether the peer does not take what was written. */
  get isBlocked(): boolean {
    return this.#duplex.writableNeedDrain;
  }

  /** Whether what was written has left, and our end after it. */
  get isFinished(): boolean {
    return this.#duplex.writableFinished;
  }

  get sends(): number {
    return this.#sends;
  }

  /** @param bytes are copied */
  write(bytes: Uint8Array): void {
    if (this.#isEnding || this.#isGone) return;
    this.#isResting = false;
    this.#output.append(bytes);
    this.#flushSoon();
  }

  /** Ends our direction, after what was written. */
  end(): void {
    if (this.#isEnding || this.#isGone) return;
    this.#isEnding = true;
    this.#flushSoon();
  }

  /** Reads no more than the stream's own buffer holds. */
  setReading(isReading: boolean): void {
    if (isReading === !this.#duplex.isPaused()) return;
    if (isReading) this.#duplex.resume();
    else this.#duplex.pause();
  }

  /** The connection has nothing more to send for a while than what was written: after that it needs no room. */
  rest(): void {
    if (this.#output.length === 0) this.#output.trim();
    else this.#isResting = true;
  }

  /** Breaks the connection off so that the peer cannot take it for an end: by RST where there is one. */
  abort(reason: string): void {
    if (this.#isGone) return;
    this.#reason = reason;
    resetConnection(this.#duplex);
  }

  /** Closes both directions now; what waits is lost. */
  destroy(reason: string): void {
    if (this.#isGone) return;
    this.#reason = reason;
    this.#duplex.destroy();
  }

  /** What a handler throws ends the connection, and goes on. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.abort("a handler failed");
      throw error;
    }
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(this.#flush);
  }

  /** What the stream has no room for stays here, where {@link isFull} sees it. */
  readonly #flush = (): void => {
    this.#isFlushDue = false;
    const duplex = this.#duplex;
    if (this.#isGone || duplex.destroyed || duplex.writableNeedDrain) return;
    if (this.#output.length > 0) {
      if (this.#handler.mayLeave?.() === false) return;
      this.#send(this.#output.take());
    }
    if (this.#isResting) this.#output.trim();
    if (this.#isEnding) {
      duplex.end();
      return;
    }
    if (duplex.writableNeedDrain) {
      this.#wasFull = true;
      this.#handler.blocked();
      return;
    }
    if (!this.#wasFull) return;
    this.#wasFull = false;
    this.#handler.writable();
  };

  #send(parts: readonly Uint8Array[]): void {
    const duplex = this.#duplex;
    this.#sends += 1;
    if (parts.length === 1) {
      duplex.write(parts[0], this.#onWritten);
      return;
    }
    duplex.cork();
    for (const part of parts.slice(0, -1)) duplex.write(part);
    duplex.write(parts.at(-1), this.#onWritten);
    duplex.uncork();
  }

  readonly #onWritten = (error?: Error | null): void => {
    if (!error) this.#output.written();
  };

  readonly #onClose = (): void => {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#output.take();
    this.#duplex.destroy();
    this.#handler.gone(this.#reason);
  };
}
