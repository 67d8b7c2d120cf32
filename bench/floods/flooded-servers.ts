import { connect, createServer, type Server, type Socket } from "node:net";
import { HTTP2_LIMITS } from "#proxy/transport/http2-limits.ts";
import { Http2Transport } from "#proxy/transport/http2-transport.ts";
import { TUNNEL_LIMITS } from "#proxy/tunnel/tunnel-limits.ts";
import { serveTunnels } from "#proxy/tunnel/tunnel-server.ts";
import { splice } from "#proxy/worker/exchange/splice.ts";
import { tcpByteStream } from "#proxy/worker/exchange/tcp-byte-stream.ts";
import { field } from "#wire/http1/head.ts";
import type { Http2Stream, StreamHandler } from "#wire/http2/stream.ts";

const OK = [field(":status", "200")];
const LARGE_BYTES = 8 * 1024 * 1024;
const PIECE_BYTES = 16 * 1024;
const IDLE_MS = 60_000;

/** Somebody who answers by what the path says. */
const application = (stream: Http2Stream, path: string): StreamHandler => {
  let left = LARGE_BYTES;
  const send = (): void => {
    while (left > 0) {
      left -= PIECE_BYTES;
      if (!stream.write(Buffer.alloc(PIECE_BYTES))) return;
    }
    stream.end();
  };
  return {
    data: (bytes) => {
      if (path !== "/held") stream.consumed(bytes.length);
    },
    end: () => {
      stream.sendHead(OK, path !== "/large");
      if (path === "/large") send();
    },
    writable: send,
    reset: () => undefined,
  };
};

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
