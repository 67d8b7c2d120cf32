import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createServer, type Server } from "node:net";
import { HTTP2_LIMITS } from "#proxy/transport/http2-limits.ts";
import { Http2Transport } from "#proxy/transport/http2-transport.ts";
import type { Http2Stream } from "#wire/http2/stream.ts";
import { field } from "#wire/http1/head.ts";
import { ANSWER_FIELDS } from "./messages.ts";

/** Answers every request, when it has ended, with a head and no content, through wire/http2 as the proxy uses it. */
export const wireHttp2Server = (): Server => {
  const open = new Set<Http2Transport>();
  return createServer({ noDelay: true }, (socket) => {
    const transport = new Http2Transport(socket, "server", HTTP2_LIMITS.limits, HTTP2_LIMITS.patience, {
      request: (stream: Http2Stream) => ({
        data: (bytes) => stream.consumed(bytes.length),
        end: () => stream.sendHead(ANSWER, true),
        writable: () => undefined,
        reset: () => undefined,
      }),
      ready: () => undefined,
      goAway: () => undefined,
      streamClosed: () => undefined,
      closed: () => void open.delete(transport),
    });
    open.add(transport);
  });
};

/** The same through node:http2, with the same windows. */
export const nodeHttp2Server = (): Server => {
  const { settings, connectionWindow } = HTTP2_LIMITS.limits;
  const server = createHttp2Server({ settings: { initialWindowSize: settings.initialWindowSize } });
  server.on("session", (session) => session.setLocalWindowSize(connectionWindow));
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    stream.resume();
    stream.on("end", () => {
      if (!stream.destroyed) stream.respond(NODE_ANSWER, { endStream: true });
    });
  });
  return server;
};

const ANSWER = [field(":status", "200"), ...ANSWER_FIELDS];
const NODE_ANSWER = Object.fromEntries(ANSWER.map(({ name, value }) => [name, value]));
