import { ByteQueue } from "#wire/byte-queue.ts";
import { Http2Connection } from "#wire/http2/connection.ts";
import { ERROR_CODE, type ErrorCode } from "#wire/http2/error-code.ts";
import type { Http2Handler } from "#wire/http2/handler.ts";
import { Http2ConnectionError } from "#wire/http2/http2-error.ts";
import type { Http2Limits } from "#wire/http2/limits.ts";
import type { Http2Stream } from "#wire/http2/stream.ts";
import type { Carrier } from "./carrier.ts";
import { type Http2Carrier, openHttp2Carrier } from "./http2-carrier.ts";

/** How long a peer may take. */
export interface Http2Patience {
  /** From the beginning to its SETTINGS. */
  readonly settingsMs: number;
  /** For the rest of a field block that it began. */
  readonly fieldBlockMs: number;
  /** From one answered PING to the next; undefined for none. */
  readonly pingIntervalMs: number | undefined;
  readonly pingTimeoutMs: number;
  /** To close after GOAWAY; then the connection is destroyed. */
  readonly closeMs: number;
}

/** What happens on the connection, beside what the transport sees to itself. */
export interface Http2TransportHandler extends Omit<Http2Handler, "wake" | "pong"> {
  /** The connection is gone, and every stream was told before. Called once. */
  closed(reason: string): void;
}

/** What is read of a connection that has failed, in bytes: about what a peer sends before our GOAWAY has reached it. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

/**
 * Carries an HTTP/2 connection over a stream of bytes. What a handler throws comes out of the stream's `data` event, after the
 * connection was ended.
 */
export class Http2Transport {
  readonly connection: Http2Connection;
  readonly #carrier: Http2Carrier;
  readonly #patience: Http2Patience;
  readonly #handler: Http2TransportHandler;
  #timer: NodeJS.Timeout | undefined;
  #blockTimer: NodeJS.Timeout | undefined;
  /** The stream whose field block is timed. */
  #timedBlock: number | undefined;
  /** What was read and is for another turn. */
  #rest: Uint8Array | undefined;
  /** What came behind it: where a stream of bytes gives more although it was paused. */
  #later: ByteQueue | undefined;
  #hasEnded = false;
  /** What came after GOAWAY. */
  #discarded = 0;
  #isClosing = false;
  #isClosed = false;

  constructor(
    carrier: Carrier,
    role: "client" | "server",
    limits: Http2Limits,
    patience: Http2Patience,
    handler: Http2TransportHandler,
  ) {
    this.#patience = patience;
    this.#handler = handler;
    this.connection = new Http2Connection(
      role,
      limits,
      {
        request: (stream, head, isEnd) => handler.request(stream, head, isEnd),
        ready: () => this.#onReady(),
        goAway: (goAway) => handler.goAway(goAway),
        pong: () => this.#keepAlive(),
        streamClosed: (stream) => this.#onStreamClosed(stream),
        wake: () => this.#flushSoon(),
      },
      performance.now(),
    );
    this.#carrier = openHttp2Carrier(carrier, {
      data: (chunk) => this.#onData(chunk),
      ended: () => this.#onEnd(),
      writable: () => this.#onWritable(),
      written: () => this.connection.outputWritten(),
      closed: (reason) => this.#close(reason),
    });
    this.#timer = setTimeout(() => this.#giveUp("no SETTINGS", ERROR_CODE.settingsTimeout), patience.settingsMs);
    this.#flushSoon();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** No new streams; the connection ends with its last one. */
  drain(): void {
    this.connection.drain();
  }

  /** Ends the connection now, and all that is on it. */
  destroy(reason: string): void {
    if (!this.#isClosed) this.#giveUp(reason, ERROR_CODE.noError);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#isClosing) return this.#discard(chunk.length);
    if (this.#rest) return (this.#later ??= new ByteQueue()).add(chunk);
    this.#receive(chunk);
    // It is lent.
    if (this.#rest) this.#rest = Buffer.from(this.#rest);
  }

  /** What the connection does not take at once waits for its next turn, and nothing is read until then. */
  #receive(chunk: Uint8Array): void {
    let taken = chunk.length;
    try {
      taken = this.connection.receive(chunk, performance.now());
    } finally {
      this.#rest = taken < chunk.length ? chunk.subarray(taken) : this.#takeLater();
      if (this.connection.failure) this.#closeAfterGoAway();
      else this.#watch();
      if (this.#rest && !this.#isClosing) {
        this.#carrier.pause();
        setImmediate(this.#goOn);
      }
    }
  }

  readonly #goOn = (): void => {
    const rest = this.#rest;
    if (this.#isClosing || !rest) return;
    this.#rest = undefined;
    this.#receive(rest);
    if (this.#rest || this.#isClosing) return;
    if (this.#hasEnded) this.#onEnd();
    else this.#carrier.resume();
  };

  #takeLater(): Uint8Array | undefined {
    const part = this.#later?.take(Infinity);
    if (this.#later?.length === 0) this.#later = undefined;
    return part;
  }

  #onEnd(): void {
    this.#hasEnded = true;
    if (!this.#rest || this.#isClosing) this.#close("the other side closed the connection");
  }

  /**
   * What was under way is read, so that the end is no reset, which would take our last words with it. Whoever sends on and on is
   * not read any more.
   */
  #discard(bytes: number): void {
    this.#discarded += bytes;
    if (this.#discarded > MAX_DISCARDED_BYTES) this.#carrier.pause();
  }

  /** What a chunk may have changed that has a time of its own. */
  #watch(): void {
    if (this.connection.isDrained) this.#flushSoon();
    const { openFieldBlock } = this.connection;
    if (openFieldBlock === this.#timedBlock) return;
    this.#timedBlock = openFieldBlock;
    clearTimeout(this.#blockTimer);
    if (openFieldBlock === undefined) return;
    this.#blockTimer = setTimeout(
      () => this.#giveUp("a field block that does not end", ERROR_CODE.enhanceYourCalm),
      this.#patience.fieldBlockMs,
    );
  }

  #onReady(): void {
    this.#keepAlive();
    this.#handler.ready();
  }

  #onStreamClosed(stream: Http2Stream): void {
    this.#handler.streamClosed(stream);
    if (this.connection.isDrained) this.#flushSoon();
  }

  #onWritable(): void {
    this.connection.setBlocked(false);
    this.#flush();
  }

  /** A ping after a while; without an answer in time the other side is gone, and nobody told us. */
  #keepAlive(): void {
    if (this.#isClosing) return;
    clearTimeout(this.#timer);
    const { pingIntervalMs, pingTimeoutMs } = this.#patience;
    if (pingIntervalMs === undefined) return;
    this.#timer = setTimeout(() => {
      this.connection.ping();
      this.#timer = setTimeout(() => this.#giveUp("no answer to PING", ERROR_CODE.noError), pingTimeoutMs);
    }, pingIntervalMs);
  }

  #giveUp(reason: string, code: ErrorCode): void {
    try {
      this.connection.fail(new Http2ConnectionError(code, reason));
    } finally {
      this.#closeAfterGoAway();
    }
  }

  /** What is to be said is said, then the connection ends; whoever does not let it end loses it. */
  #closeAfterGoAway(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#blockTimer);
    this.#rest = this.#later = undefined;
    this.#write(this.connection.takeOutput());
    this.#carrier.end();
    this.#carrier.resume();
    this.#timer = setTimeout(() => this.#close("it was not closed in time"), this.#patience.closeMs);
  }

  #close(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = this.#isClosing = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#blockTimer);
    const { failure } = this.connection;
    this.#carrier.destroy();
    try {
      this.connection.lost(reason);
    } finally {
      this.#handler.closed(failure?.message ?? reason);
    }
  }

  /** While the stream of bytes is full, what is to be sent stays with the connection, which knows how much that may be. */
  readonly #flush = (): void => {
    if (this.#isClosing || this.#carrier.isFull) return;
    const isWelcome = this.#write(this.connection.takeOutput());
    if (this.connection.isDrained) this.#closeAfterGoAway();
    else this.connection.setBlocked(!isWelcome);
  };

  #write(parts: readonly Uint8Array[]): boolean {
    return parts.length === 0 || this.#carrier.write(parts);
  }

  #flushSoon(): void {
    this.#carrier.soon(this.#flush);
  }
}
