import type { Field } from "#wire/field.ts";
import { ERROR_CODE, type ErrorCode } from "#wire/http2/error-code.ts";
import type { ResponseHead } from "#wire/http2/message-rules.ts";
import type { Http2Stream, StreamHandler } from "#wire/http2/stream.ts";
import type { Carrier } from "../transport/carrier.ts";
import { Http2Transport } from "../transport/http2-transport.ts";
import { fromHttp2Response, toHttp2Request, toHttp2Trailers } from "./heads.ts";
import { type Http2Settings, streamFailure } from "./http2-server.ts";
import type {
  HeadChanges,
  HttpClientConnection,
  HttpClientHandler,
  HttpRequest,
  HttpResponseReader,
  HttpWriter,
} from "./message.ts";

/**
 * How many streams a server is presumed to allow before it has said so: no server should allow less (RFC 9113 section 6.5.2), and
 * one that is sent many more refuses them, or takes it for a flood.
 */
const PRESUMED_STREAMS = 100;

/** Sends requests in HTTP/2, as many at a time as the server lets us. */
export class Http2Client implements HttpClientConnection {
  readonly version = "2";
  readonly #transport: Http2Transport;
  #isLeaving = false;
  readonly #handler: HttpClientHandler;

  constructor(carrier: Carrier, { limits, patience }: Http2Settings, handler: HttpClientHandler) {
    this.#handler = handler;
    this.#transport = new Http2Transport(carrier, "client", limits, patience, {
      request: () => {
        throw new Error("a server opened a stream");
      },
      ready: () => undefined,
      goAway: () => this.#leave(),
      streamClosed: () => handler.idle(),
      closed: (reason) => {
        this.#leave();
        handler.closed(reason);
      },
    });
  }

  get room(): number {
    if (this.#isLeaving) return 0;
    const { connection } = this.#transport;
    return connection.isReady ? connection.room : Math.max(0, PRESUMED_STREAMS - connection.openStreams);
  }

  get open(): number {
    return this.#transport.connection.openStreams;
  }

  request(request: HttpRequest, changes: HeadChanges, reader: HttpResponseReader): HttpWriter {
    const { connection } = this.#transport;
    const stream = connection.open(
      toHttp2Request(request, changes),
      !request.hasContent,
      () => new ResponseReader(reader),
    );
    return new Writer(stream, request.hasContent);
  }

  drain(): void {
    this.#leave();
    this.#transport.drain();
  }

  destroy(reason: string): void {
    this.#leave();
    this.#transport.destroy(reason);
  }

  #leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#handler.leaving();
  }
}

class ResponseReader implements StreamHandler {
  readonly #reader: HttpResponseReader;

  constructor(reader: HttpResponseReader) {
    this.#reader = reader;
  }

  response(head: ResponseHead, isEnd: boolean): void {
    const response = fromHttp2Response(head, isEnd);
    if (head.status < 200) this.#reader.informational(response);
    else this.#reader.head(response);
  }

  data(bytes: Uint8Array): void {
    this.#reader.data(bytes);
  }

  end(trailers: readonly Field[] | undefined): void {
    this.#reader.end(trailers ?? []);
  }

  writable(): void {
    this.#reader.writable();
  }

  reset(code: ErrorCode, reason: string): void {
    this.#reader.reset(streamFailure(code, reason));
  }
}

class Writer implements HttpWriter {
  readonly #stream: Http2Stream;
  #hasEnd: boolean;

  constructor(stream: Http2Stream, hasContent: boolean) {
    this.#stream = stream;
    this.#hasEnd = !hasContent;
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes);
  }

  end(trailers: readonly Field[]): void {
    if (this.#hasEnd) return;
    this.#hasEnd = true;
    this.#stream.end(trailers.length === 0 ? undefined : toHttp2Trailers(trailers));
  }

  /** What was answered before its end is told that nobody wants the rest (RFC 9113 section 8.1). */
  reset(code: ErrorCode): void {
    this.#stream.reset(code === ERROR_CODE.connectError ? ERROR_CODE.cancel : code);
  }

  consumed(bytes: number): void {
    this.#stream.consumed(bytes);
  }
}
