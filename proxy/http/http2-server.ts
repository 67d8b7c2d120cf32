import type { Field } from "#wire/field.ts";
import { field } from "#wire/http1/head.ts";
import { ERROR_CODE, type ErrorCode, errorCodeName } from "#wire/http2/error-code.ts";
import type { Http2Limits } from "#wire/http2/limits.ts";
import type { Http2Stream, StreamHandler } from "#wire/http2/stream.ts";
import type { Carrier } from "../transport/carrier.ts";
import { type Http2Patience, Http2Transport } from "../transport/http2-transport.ts";
import { fromHttp2Request, toHttp2Response, toHttp2Trailers } from "./heads.ts";
import type {
  HttpAnswer,
  HttpFailure,
  HttpReader,
  HttpResponse,
  HttpServerConnection,
  HttpServerHandler,
} from "./message.ts";

/** How HTTP/2 is spoken on a connection. */
export interface Http2Settings {
  readonly limits: Http2Limits;
  readonly patience: Http2Patience;
}

/** Serves a client that speaks HTTP/2 with prior knowledge. CONNECT is not for a proxy that nobody asked for: 405. */
export const serveHttp2 = (
  carrier: Carrier,
  { limits, patience }: Http2Settings,
  handler: HttpServerHandler,
): HttpServerConnection => {
  const transport: Http2Transport = new Http2Transport(carrier, "server", limits, patience, {
    request: (stream, head, isEnd) => {
      if (head.method === "CONNECT") return refuseConnect(stream);
      const answer = new Answer(stream);
      return new MessageReader(stream, handler.request(fromHttp2Request(head, isEnd), answer));
    },
    ready: () => undefined,
    goAway: () => undefined,
    streamClosed: () => undefined,
    closed: (reason) => {
      const { failure } = transport.connection;
      if (failure && failure.code !== ERROR_CODE.connectError && failure.code !== ERROR_CODE.noError) {
        handler.refused(errorCodeName(failure.code), failure.message);
      }
      handler.closed(reason);
    },
  });
  return {
    drain: () => transport.drain(),
    end: () => transport.drain(),
    destroy: (reason) => transport.destroy(reason),
  };
};

const refuseConnect = (stream: Http2Stream): StreamHandler => {
  stream.sendHead([field(":status", "405")], true);
  stream.reset(ERROR_CODE.noError);
  return NOBODY;
};

const NOBODY: StreamHandler = {
  data: () => undefined,
  end: () => undefined,
  writable: () => undefined,
  reset: () => undefined,
};

/** What comes of a message on a stream, for whoever reads it. */
class MessageReader implements StreamHandler {
  readonly #stream: Http2Stream;
  readonly #reader: HttpReader;

  constructor(stream: Http2Stream, reader: HttpReader) {
    this.#stream = stream;
    this.#reader = reader;
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

  /** The stream is what a client knows it by. */
  get id(): number {
    return this.#stream.id;
  }
}

/** A stream that was reset, as whoever reads it is told. */
export const streamFailure = (code: ErrorCode, reason: string): HttpFailure => ({
  kind: code === ERROR_CODE.refusedStream ? "refused" : "lost",
  message: `${reason} (${errorCodeName(code)})`,
  code,
});

class Answer implements HttpAnswer {
  readonly #stream: Http2Stream;
  isAnswered = false;

  constructor(stream: Http2Stream) {
    this.#stream = stream;
  }

  informational(head: HttpResponse): void {
    if (head.status !== 101) this.#stream.sendHead(toHttp2Response(head), false);
  }

  head(head: HttpResponse): void {
    this.isAnswered = true;
    this.#stream.sendHead(toHttp2Response(head), head.isEnd);
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes);
  }

  end(trailers: readonly Field[]): void {
    this.#stream.end(trailers.length === 0 ? undefined : toHttp2Trailers(trailers));
  }

  reset(code: ErrorCode): void {
    this.#stream.reset(code);
  }

  consumed(bytes: number): void {
    this.#stream.consumed(bytes);
  }
}
