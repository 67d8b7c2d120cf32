import { connect, createServer, type Server, type Socket } from "node:net";
import { Http1ClientConnection } from "#proxy/transport/http1-client-connection.ts";
import { HTTP1_CLIENT_SETTINGS } from "#proxy/transport/http1-limits.ts";
import type { Http1ResponseHandler, Http1Stream } from "#proxy/transport/http1-stream.ts";
import { HTTP2_LIMITS } from "#proxy/transport/http2-limits.ts";
import { Http2Transport } from "#proxy/transport/http2-transport.ts";
import { TUNNEL_LIMITS } from "#proxy/tunnel/tunnel-limits.ts";
import { serveTunnels } from "#proxy/tunnel/tunnel-server.ts";
import { splice } from "#proxy/worker/exchange/splice.ts";
import { tcpByteStream } from "#proxy/worker/exchange/tcp-byte-stream.ts";
import { field, type RequestHead } from "#wire/http1/head.ts";
import { ERROR_CODE } from "#wire/http2/error-code.ts";
import type { Http2Stream, StreamHandler } from "#wire/http2/stream.ts";

const OK = [field(":status", "200")];
const GET: RequestHead = {
  method: "GET",
  target: "/",
  version: "1.1",
  fields: [field("host", "shop")],
  framing: { kind: "none" },
};
const IDLE_MS = 60_000;

/** Answers by what the path says. */
const application = (stream: Http2Stream, path: string): StreamHandler => {
  const [, name, port] = path.split("/");
  if (name === "large") return new Forwarded(stream, Number(port));
  return {
    data: (bytes) => {
      if (name !== "held") stream.consumed(bytes.length);
    },
    end: () => stream.sendHead(OK, true),
    writable: () => undefined,
    reset: () => undefined,
  };
};

/**
 * Hands on what an application that speaks HTTP/1 answers, with the connection that the proxy has for it. One object for both
 * sides: what it needs itself is counted as held.
 */
class Forwarded implements StreamHandler, Http1ResponseHandler {
  readonly #stream: Http2Stream;
  readonly #answer: Http1Stream;
  #held = 0;

  constructor(stream: Http2Stream, port: number) {
    this.#stream = stream;
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
    this.#answer = new Http1ClientConnection(socket, HTTP1_CLIENT_SETTINGS, NOT_KEPT).open(GET, [], () => this);
    this.#answer.end();
  }

  informational(): void {}

  head(): void {
    this.#stream.sendHead(OK, false);
  }

  data(bytes: Uint8Array): void {
    if (this.#stream.write(bytes)) this.#answer.consumed(bytes.length);
    else this.#held += bytes.length;
  }

  writable(): void {
    this.#answer.consumed(this.#held);
    this.#held = 0;
  }

  /** Of the request, which is complete when it comes: the answer has no end. */
  end(): void {}

  /** Whoever broke off: the other side is told, and who did it knows. */
  reset(): void {
    this.#answer.reset("the client has gone");
    this.#stream.reset(ERROR_CODE.internalError);
  }
}

const NOT_KEPT = { idle: () => undefined, closed: () => undefined };

/** Answers requests through the connection object as the proxy has it. */
export const http2Server = (): Server =>
  createServer({ noDelay: true }, (socket) => {
    void new Http2Transport(socket, "server", HTTP2_LIMITS.limits, HTTP2_LIMITS.patience, {
      request: (stream, head) => application(stream, head.path ?? ""),
      ready: () => undefined,
      goAway: () => undefined,
      streamClosed: () => undefined,
      closed: () => undefined,
    });
  });

/** Takes tunnels and joins them to their applications, as a worker does. */
export const tunnelServer = (): Server =>
  createServer({ noDelay: true }, (socket: Socket) => {
    serveTunnels(
      socket,
      TUNNEL_LIMITS,
      (tunnel) => {
        const port = Number(tunnel.authority.split(":")[1]);
        const upstream = connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
        upstream.on("error", () => tunnel.refuse(503));
        upstream.once("connect", () => {
          if (tunnel.isGone) upstream.destroy();
          else
            splice(tunnel.accept({}), tcpByteStream(upstream), IDLE_MS, {
              sent: () => undefined,
              ended: () => undefined,
            });
        });
      },
      () => undefined,
    );
  });
