import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { HTTP2_LIMITS } from "#proxy/transport/http2-limits.ts";
import { Http2Transport } from "#proxy/transport/http2-transport.ts";
import type { Field } from "#wire/field.ts";
import type { Http2Limits } from "#wire/http2/limits.ts";
import type { RequestHead, ResponseHead } from "#wire/http2/message-rules.ts";
import type { Http2Stream, StreamHandler } from "#wire/http2/stream.ts";

const { limits, patience } = HTTP2_LIMITS;

export const fields = (pairs: readonly (readonly [string, string])[]): readonly Field[] =>
  pairs.map(([name, value]) => ({ name, value, isNeverIndexed: false }));

export const valueOf = (section: readonly Field[] | undefined, name: string): string | undefined =>
  section?.find((field) => field.name === name)?.value;

export interface OwnServer extends AsyncDisposable {
  readonly port: number;
  readonly transports: readonly Http2Transport[];
}

/**
 * A server of ours on the loopback.
 * @param tls in clear without it
 */
export const ownServer = async (
  request: (stream: Http2Stream, head: RequestHead) => Partial<StreamHandler>,
  its: Http2Limits = limits,
  tls?: TlsOptions,
): Promise<OwnServer> => {
  const transports: Http2Transport[] = [];
  const onSocket = (socket: Socket): void => {
    const transport = new Http2Transport(socket, "server", its, patience, {
      request: (stream, head) => ({ ...IDLE, ...request(stream, head) }),
      ready: () => undefined,
      goAway: () => undefined,
      streamClosed: () => undefined,
      closed: () => undefined,
    });
    transports.push(transport);
  };
  const server = tls === undefined ? createServer(onSocket) : createTlsServer(tls, onSocket);
  const port = await listening(server);
  return {
    port,
    transports,
    [Symbol.asyncDispose]: async () => {
      for (const transport of transports) transport.destroy("the test is over");
      server.close();
      await once(server, "close");
    },
  };
};

export const listening = async (server: Server): Promise<number> => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
};

export interface OwnClient extends Disposable {
  readonly transport: Http2Transport;
  readonly goAways: number[];
  /** Resolves with the reason. */
  readonly closed: Promise<string>;
}

/** A client of ours, when the server's SETTINGS are there. */
export const ownClient = async (port: number): Promise<OwnClient> => {
  const socket = connect({ host: "127.0.0.1", port });
  const goAways: number[] = [];
  const ready = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<string>();
  const transport = new Http2Transport(socket, "client", limits, patience, {
    request: () => IDLE,
    ready: ready.resolve,
    goAway: ({ lastStreamId }) => void goAways.push(lastStreamId),
    streamClosed: () => undefined,
    closed: closed.resolve,
  });
  await ready.promise;
  return { transport, goAways, closed: closed.promise, [Symbol.dispose]: () => transport.destroy("the test is over") };
};

/** What became of a request. */
export interface Answer {
  readonly stream: Http2Stream;
  readonly heads: ResponseHead[];
  body: Buffer;
  trailers: readonly Field[] | undefined;
  reset: number | undefined;
  /** Until the answer is complete, or reset. */
  readonly done: Promise<void>;
  /** Until there is a final head. */
  readonly answered: Promise<void>;
}

/** Sends a request, and its body as fast as the server takes it. */
export const ask = (
  { transport }: OwnClient,
  section: readonly (readonly [string, string])[],
  body: Uint8Array | undefined,
  /** How much of the answer is read: all, or nothing. */
  reads = true,
): Answer => {
  const done = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const pieces: Uint8Array[] = [];
  const heads: ResponseHead[] = [];
  let answer: Answer | undefined;
  const stream = transport.connection.open(fields(section), body === undefined, (own) => ({
    response: (head) => {
      heads.push(head);
      if (head.status >= 200) answered.resolve();
    },
    data: (bytes) => {
      pieces.push(Buffer.from(bytes));
      if (reads) own.consumed(bytes.length);
    },
    end: (trailers) => {
      if (answer) Object.assign(answer, { trailers, body: Buffer.concat(pieces) });
      done.resolve();
    },
    writable: () => undefined,
    reset: (code) => {
      if (answer) answer.reset = code;
      done.resolve();
    },
  }));
  answer = {
    stream,
    heads,
    body: Buffer.alloc(0),
    trailers: undefined,
    reset: undefined,
    done: done.promise,
    answered: answered.promise,
  };
  if (body) {
    stream.write(body);
    stream.end();
  }
  return answer;
};

export const request = (method: string, path: string): readonly (readonly [string, string])[] => [
  [":method", method],
  [":scheme", "http"],
  [":authority", "shop"],
  [":path", path],
];

const IDLE: StreamHandler = {
  data: () => undefined,
  end: () => undefined,
  writable: () => undefined,
  reset: () => undefined,
};
