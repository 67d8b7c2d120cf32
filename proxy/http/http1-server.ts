import type { Field } from "#wire/field.ts";
import type { ErrorCode } from "#wire/http2/error-code.ts";
import type { Http1ServerSettings } from "../transport/http1-limits.ts";
import { Http1ServerConnection } from "../transport/http1-server-connection.ts";
import {
  failureText,
  type Http1Failure,
  type Http1ServerStream,
  type Http1StreamHandler,
} from "../transport/http1-stream.ts";
import type { Carrier } from "../transport/carrier.ts";
import { fromHttp1Request, toHttp1Response, toHttp1Trailers } from "./heads.ts";
import type {
  HttpAnswer,
  HttpFailure,
  HttpReader,
  HttpResponse,
  HttpServerConnection,
  HttpServerHandler,
} from "./message.ts";

/** Serves a client that speaks HTTP/1. */
export const serveHttp1 = (
  carrier: Carrier,
  settings: Http1ServerSettings,
  handler: HttpServerHandler,
): HttpServerConnection =>
  new Http1ServerConnection(carrier, settings, {
    request: (stream, head) => new RequestReader(handler.request(fromHttp1Request(head), new Answer(stream))),
    refused: ({ reason, message }) => handler.refused(reason, message),
    closed: (reason) => handler.closed(reason),
  });

class RequestReader implements Http1StreamHandler {
  readonly #reader: HttpReader;

  constructor(reader: HttpReader) {
    this.#reader = reader;
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

export const httpFailure = (failure: Http1Failure): HttpFailure => ({
  kind: failure.kind === "unsent" ? "refused" : failure.kind,
  message: failureText(failure),
  code: undefined,
});

class Answer implements HttpAnswer {
  readonly #stream: Http1ServerStream;

  constructor(stream: Http1ServerStream) {
    this.#stream = stream;
  }

  get isAnswered(): boolean {
    return this.#stream.isAnswered;
  }

  informational(head: HttpResponse): void {
    if (head.received) this.#stream.forwardHead(head.received);
    else this.#stream.sendInformational(toHttp1Response(head));
  }

  head(head: HttpResponse): void {
    if (head.received) this.#stream.forwardHead(head.received);
    else this.#stream.sendHead(toHttp1Response(head), head.upgrade);
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
