import { ERROR_CODE, type ErrorCode, errorCodeName } from "#wire/http2/error-code.ts";
import type { Http2Stream } from "#wire/http2/stream.ts";
import { ByteQueue } from "#wire/byte-queue.ts";
import type { ByteReader, ByteStream } from "./byte-stream.ts";

/** One tunnel: the content of an HTTP/2 stream that was asked for with CONNECT, as bytes in both directions. */
export class TunnelStream implements ByteStream {
  readonly #stream: Http2Stream;
  #reader: ByteReader | undefined;
  /** What came before there was a reader: the stream's window bounds it, and small pieces are joined, so that it is no more. */
  #early: ByteQueue | undefined;
  #hasEnded = false;
  #over: { readonly problem: string | undefined } | undefined;

  constructor(stream: Http2Stream) {
    this.#stream = stream;
  }

  get isGone(): boolean {
    return this.#over !== undefined;
  }

  read(reader: ByteReader): void {
    const early = this.#early;
    this.#early = undefined;
    this.#reader = reader;
    if (early) for (let part = early.take(Infinity); part.length > 0; part = early.take(Infinity)) reader.data(part);
    if (this.#hasEnded) this.#reader?.end();
    if (this.#over) this.#reader?.closed(this.#over.problem);
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes);
  }

  consumed(bytes: number): void {
    this.#stream.consumed(bytes);
  }

  end(): void {
    this.#stream.end();
  }

  /** A connection that broke at the other side is CONNECT_ERROR (RFC 9113 section 8.5). */
  reset(): void {
    this.#reader = undefined;
    this.#over ??= { problem: "reset" };
    this.#stream.reset(ERROR_CODE.connectError);
  }

  /** The other end had our END_STREAM; NO_ERROR says that what it still sends has no reader (RFC 9113 section 8.1). */
  close(): void {
    this.#reader = undefined;
    this.#over ??= { problem: undefined };
    this.#stream.reset(ERROR_CODE.noError);
  }

  /** Bytes came. */
  deliver(bytes: Uint8Array): void {
    if (this.#reader) this.#reader.data(bytes);
    else if (!this.#over) (this.#early ??= new ByteQueue()).add(bytes);
  }

  /** The other end has ended its direction. */
  deliverEnd(): void {
    this.#hasEnded = true;
    this.#reader?.end();
  }

  /** What was queued has gone out. */
  deliverWritable(): void {
    this.#reader?.writable();
  }

  /**
   * The stream was reset. With NO_ERROR the other end has no more to say, and no reader for what we say (RFC 9113 section 8.1);
   * everything else is a tunnel that was broken off.
   */
  deliverReset(code: ErrorCode, reason: string): void {
    if (this.#over) return;
    if (code !== ERROR_CODE.noError) return this.#close(`${reason} (${errorCodeName(code)})`);
    if (!this.#hasEnded) this.deliverEnd();
    this.#close(undefined);
  }

  /** Both directions have ended. */
  deliverClosed(): void {
    if (!this.#over) this.#close(undefined);
  }

  #close(problem: string | undefined): void {
    this.#over = { problem };
    this.#reader?.closed(problem);
  }
}
