import type { Field } from "#wire/field.ts";
import { isNamed } from "#wire/http1/characters.ts";
import { mayForwardRaw, type ReceivedResponseHead } from "#wire/http1/head.ts";
import type { ErrorCode } from "#wire/http2/error-code.ts";
import { Http1ClientConnection } from "../transport/http1-client-connection.ts";
import type { Http1ClientSettings } from "../transport/http1-limits.ts";
import type { Http1ClientStream, Http1Failure, Http1ResponseHandler } from "../transport/http1-stream.ts";
import type { Carrier } from "../transport/carrier.ts";
import { fromHttp1Response, hasNamed, toHttp1Request, toHttp1Trailers } from "./heads.ts";
import { httpFailure } from "./http1-server.ts";
import type {
  HeadChanges,
  HttpClientConnection,
  HttpClientHandler,
  HttpRequest,
  HttpResponseReader,
  HttpWriter,
} from "./message.ts";

/** A connection on which nothing moved for so long may be at its end. */
const DOUBTFUL_AFTER_MS = 20;

/** Sends requests in HTTP/1.1, one at a time. */
export class Http1Client implements HttpClientConnection {
  readonly version = "1.1";
  readonly #connection: Http1ClientConnection;
  readonly #handler: HttpClientHandler;
  #isLeaving = false;
  /** When what the server said of its patience is over, on `performance.now`'s clock. */
  #freshUntil = Number.POSITIVE_INFINITY;
  #announcedMs: number | undefined;
  /** On the same clock. */
  #restsSince = performance.now();

  /**
   * @param hasEnded tells whether the server has ended the connection, before the event loop does: asked before a request leaves on
   *   a connection that was idle for a while
   */
  constructor(
    carrier: Carrier,
    settings: Http1ClientSettings,
    handler: HttpClientHandler,
    hasEnded: () => boolean = () => false,
  ) {
    this.#handler = handler;
    this.#connection = new Http1ClientConnection(carrier, settings, {
      idle: () => this.#onIdle(),
      closed: (reason) => {
        this.#leave();
        handler.closed(reason);
      },
      hasEnded: () => performance.now() - this.#restsSince >= DOUBTFUL_AFTER_MS && hasEnded(),
    });
  }

  get room(): number {
    return !this.#isLeaving && this.#connection.isFree && this.#isFresh ? 1 : 0;
  }

  get #isFresh(): boolean {
    return this.#freshUntil === Number.POSITIVE_INFINITY || performance.now() < this.#freshUntil;
  }

  get open(): number {
    return this.#connection.isFree ? 0 : 1;
  }

  request(request: HttpRequest, changes: HeadChanges, reader: HttpResponseReader): HttpWriter {
    const { received, upgrade } = request;
    const handler = new ResponseReader(reader, this);
    const isSame = received && !hasNamed(request.fields, changes.remove);
    const stream = isSame
      ? this.#connection.forward(received, upgrade, () => handler, changes.add)
      : this.#connection.open(toHttp1Request(request, changes), upgrade, () => handler);
    return new Writer(stream);
  }

  /** The server says how long it leaves the connection open, in ms. */
  announce(ms: number): void {
    this.#announcedMs = ms;
  }

  drain(): void {
    this.#leave();
    if (this.#connection.isFree) this.#connection.destroy("no more requests");
  }

  destroy(reason: string): void {
    this.#leave();
    this.#connection.destroy(reason);
  }

  #onIdle(): void {
    if (this.#isLeaving) return this.#connection.destroy("no more requests");
    this.#restsSince = performance.now();
    if (this.#announcedMs !== undefined) this.#freshUntil = this.#restsSince + this.#announcedMs;
    this.#handler.idle();
  }

  #leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#handler.leaving();
  }
}

/** Time that a server's announced end may take to reach us, and our request to reach it. */
const MARGIN_MS = 500;

class ResponseReader implements Http1ResponseHandler {
  readonly #reader: HttpResponseReader;
  readonly #client: Http1Client;

  constructor(reader: HttpResponseReader, client: Http1Client) {
    this.#reader = reader;
    this.#client = client;
  }

  informational(head: ReceivedResponseHead): void {
    this.#reader.informational(fromHttp1Response(head));
  }

  head(head: ReceivedResponseHead): void {
    // What may go on as it came has no field of the connection.
    const announced = mayForwardRaw(head) ? undefined : keepAliveTimeout(head.fields);
    if (announced !== undefined) this.#client.announce(announced);
    this.#reader.head(fromHttp1Response(head));
  }

  data(bytes: Uint8Array): void {
    this.#reader.data(bytes);
  }

  end(trailers: readonly Field[]): void {
    this.#reader.end(trailers);
  }

  writable(): void {
    this.#reader.writable();
  }

  reset(failure: Http1Failure): void {
    this.#reader.reset(httpFailure(failure));
  }
}

/** `Keep-Alive: timeout=5`: how long the server will leave the connection open (RFC 2068 section 19.7.1), in ms, less a margin. */
const keepAliveTimeout = (fields: readonly Field[]): number | undefined => {
  for (const { name, value } of fields) {
    if (!isNamed(name, "keep-alive")) continue;
    const seconds = /(?:^|[,\s])timeout=([0-9]{1,6})/i.exec(value)?.[1];
    return seconds === undefined ? undefined : Math.max(0, Number(seconds) * 1000 - MARGIN_MS);
  }
  return undefined;
};

class Writer implements HttpWriter {
  readonly #stream: Http1ClientStream;

  constructor(stream: Http1ClientStream) {
    this.#stream = stream;
  }

  get isUnsent(): boolean {
    return this.#stream.isUnsent;
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes);
  }

  end(trailers: readonly Field[]): void {
    this.#stream.end(toHttp1Trailers(trailers));
  }

  reset(_code: ErrorCode, reason: string): void {
    this.#stream.reset(reason);
  }

  consumed(bytes: number): void {
    this.#stream.consumed(bytes);
  }
}
