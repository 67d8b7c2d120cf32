/**
 * An HTTP/2 server on the project's own connection, in clear: for conformance tools and other clients. Every request is answered
 * with 200 and, for POST, with what it brought. Prints `listening PORT`.
 *
 *     bin/node test/conformance/http2-server.ts [PORT]
 */
import { createServer } from "node:net";
import { argv } from "node:process";
import { Http2Transport } from "#proxy/transport/http2-transport.ts";
import { HTTP2_LIMITS } from "#proxy/transport/http2-limits.ts";
import type { Http2Stream } from "#wire/http2/stream.ts";

const field = (name: string, value: string) => ({ name, value, isNeverIndexed: false });

const server = createServer((socket) => {
  socket.setNoDelay(true);
  void new Http2Transport(socket, "server", HTTP2_LIMITS.limits, HTTP2_LIMITS.patience, {
    request: (stream: Http2Stream, head) => {
      const body: Uint8Array[] = [];
      return {
        data: (bytes) => {
          body.push(bytes);
          stream.consumed(bytes.length);
        },
        end: () => {
          stream.sendHead([field(":status", "200"), field("content-type", "text/plain")], false);
          if (head.method === "POST") for (const bytes of body) stream.write(bytes);
          else stream.write(Buffer.from("hello from heddle\n"));
          stream.end();
        },
        writable: () => undefined,
        reset: () => undefined,
      };
    },
    ready: () => undefined,
    goAway: () => undefined,
    streamClosed: () => undefined,
    closed: () => undefined,
  });
});
server.listen(Number(argv[2] ?? 0), "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`listening ${typeof address === "object" ? address?.port : ""}\n`);
});
