import { Duplex } from "node:stream";
import type { ByteStream } from "../tunnel/byte-stream.ts";
import type { Carrier } from "./carrier.ts";
import { readLent } from "./read-bytes.ts";

/** What happens on what carries an HTTP/2 connection. */
export interface Http2CarrierHandler {
  /** @param chunk is lent */
  data(chunk: Uint8Array): void;
  /** The other side has ended its direction. */
  ended(): void;
  /** Bytes are welcome again. */
  writable(): void;
  /** Nobody reads any more what the oldest {@link Http2Carrier.write} was given. */
  written(): void;
  /** It is gone. */
  closed(reason: string): void;
}

/** What carries an HTTP/2 connection. */
export interface Http2Carrier {
  /** Whether no more should be written until {@link Http2CarrierHandler.writable}. */
  readonly isFull: boolean;
  /** Calls when all that can leave together has been said. */
  soon(flush: () => void): void;
  /** @param parts at least one, not to be changed before {@link Http2CarrierHandler.written} @returns whether more is welcome */
  write(parts: readonly Uint8Array[]): boolean;
  /** Some more may come nevertheless. */
  pause(): void;
  resume(): void;
  /** Ends our direction, after what was written. */
  end(): void;
  /** Lets go of it: nothing is told any more, or that it is closed. */
  destroy(): void;
}

export const openHttp2Carrier = (carrier: Carrier, handler: Http2CarrierHandler): Http2Carrier =>
  carrier instanceof Duplex ? new DuplexCarrier(carrier, handler) : new TunnelCarrier(carrier, handler);

/** A socket or TLS: what is sent in one turn of the event loop leaves in one write, after everything that was readable was read. */
class DuplexCarrier implements Http2Carrier {
  readonly #duplex: Duplex;
  readonly #onWritten: (error?: Error | null) => void;

  constructor(duplex: Duplex, handler: Http2CarrierHandler) {
    this.#duplex = duplex;
    this.#onWritten = (error) => {
      if (!error) handler.written();
    };
    readLent(duplex, (chunk) => handler.data(chunk));
    duplex.on("drain", () => handler.writable());
    duplex.on("end", () => handler.ended());
    duplex.on("error", (error: Error) => handler.closed(error.message));
    duplex.on("close", () => handler.closed("the connection was lost"));
    if (duplex.destroyed || duplex.readableEnded) setImmediate(() => handler.closed("the connection was lost"));
  }

  get isFull(): boolean {
    return this.#duplex.writableNeedDrain;
  }

  soon(flush: () => void): void {
    setImmediate(flush);
  }

  write(parts: readonly Uint8Array[]): boolean {
    if (parts.length === 1) return this.#duplex.write(parts[0], this.#onWritten);
    this.#duplex.cork();
    for (const part of parts.slice(0, -1)) this.#duplex.write(part);
    const isWelcome = this.#duplex.write(parts.at(-1), this.#onWritten);
    this.#duplex.uncork();
    return isWelcome;
  }

  pause(): void {
    this.#duplex.pause();
  }

  resume(): void {
    if (this.#duplex.isPaused()) this.#duplex.resume();
  }

  end(): void {
    this.#duplex.end();
  }

  destroy(): void {
    this.#duplex.destroy();
  }
}

/** A tunnel: what is sent leaves as soon as whoever sends is done, and is gathered with other tunnels' by its connection. */
class TunnelCarrier implements Http2Carrier {
  readonly #stream: ByteStream;
  readonly #handler: Http2CarrierHandler;
  isFull = false;
  #isPaused = false;
  /** Came and was not given back to the tunnel's window. */
  #owed = 0;
  #hasEnded = false;
  #isOver = false;

  constructor(stream: ByteStream, handler: Http2CarrierHandler) {
    this.#stream = stream;
    this.#handler = handler;
    // What came already is told at once, and whoever is told is not ready yet.
    queueMicrotask(() => this.#begin());
  }

  soon(flush: () => void): void {
    queueMicrotask(flush);
  }

  write(parts: readonly Uint8Array[]): boolean {
    for (const part of parts) if (!this.#isOver) this.isFull = !this.#stream.write(part);
    this.#handler.written();
    return !this.isFull;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#pay();
  }

  end(): void {
    if (this.#hasEnded || this.#isOver) return;
    this.#hasEnded = true;
    this.#stream.end();
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#pay();
    this.end();
    this.#isOver = true;
    this.#stream.close();
  }

  #begin(): void {
    if (this.#isOver) return;
    if (this.#stream.isGone) return this.#onClosed("the connection was lost");
    this.#stream.read({
      data: (bytes) => this.#onData(bytes),
      end: () => this.#handler.ended(),
      writable: () => this.#onWritable(),
      closed: (problem) => this.#onClosed(problem),
    });
  }

  #onData(bytes: Uint8Array): void {
    this.#owed += bytes.length;
    this.#handler.data(bytes);
    if (!this.#isPaused) this.#pay();
  }

  #onWritable(): void {
    if (!this.isFull) return;
    this.isFull = false;
    this.#handler.writable();
  }

  /** @param problem undefined where both directions have ended */
  #onClosed(problem: string | undefined): void {
    this.#isOver = true;
    this.#pay();
    if (problem === undefined) this.#handler.ended();
    else this.#handler.closed(problem);
  }

  /** Also of a tunnel that is over: its connection still waits for it. */
  #pay(): void {
    const owed = this.#owed;
    this.#owed = 0;
    if (owed > 0) this.#stream.consumed(owed);
  }
}
