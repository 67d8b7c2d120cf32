/**
 * One HTTP/2 hop in clear: takes requests, reads their heads, and forwards each stream by itself over one connection to the
 * server behind it, with trailers, resets and back-pressure. For tests and the benchmark.
 *
 *     bin/node test/programs/http2-forwarder.ts UPSTREAM-PORT [PORT]
 *
 * Prints `listening PORT`.
 */
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { argv } from "node:process";
import { APPLICATION_PATIENCE, HTTP2_LIMITS } from "#proxy/transport/http2-limits.ts";
import { Http2Transport } from "#proxy/transport/http2-transport.ts";
import { ERROR_CODE } from "#wire/http2/error-code.ts";
import type { RequestHead, ResponseHead } from "#wire/http2/message-rules.ts";
import type { Http2Stream, StreamHandler } from "#wire/http2/stream.ts";
import type { Field } from "#wire/field.ts";

/** One of the two streams of an exchange: what it brings goes to the other. */
class Side implements StreamHandler {
  readonly stream: Http2Stream;
  other: Side | undefined;
  #held = 0;

  constructor(stream: Http2Stream) {
    this.stream = stream;
  }

  response(head: ResponseHead): void {
    this.other?.stream.sendHead(head.section, false);
  }

  data(bytes: Uint8Array): void {
    if (this.other?.stream.write(bytes)) this.stream.consumed(bytes.length);
    else this.#held += bytes.length;
  }

  end(trailers: readonly Field[] | undefined): void {
    this.other?.stream.end(trailers);
  }

  writable(): void {
    this.other?.release();
  }

  reset(code: number): void {
    this.other?.stream.reset(code);
  }

  release(): void {
    const held = this.#held;
    this.#held = 0;
    if (held > 0) this.stream.consumed(held);
  }
}

/** The connection to the server; a new one when it is gone, and when it is full. */
class Upstream {
  readonly #port: number;
  #transports: Http2Transport[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  open(head: RequestHead, makeHandler: (stream: Http2Stream) => StreamHandler): void {
    const transport = this.#transports.find(({ connection }) => connection.room > 0) ?? this.#dial();
    transport.connection.open(head.section, false, makeHandler);
  }

  #dial(): Http2Transport {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    const transport = new Http2Transport(socket, "client", HTTP2_LIMITS.limits, APPLICATION_PATIENCE, {
      request: () => {
        throw new Error("a server opened a stream");
      },
      ready: () => undefined,
      goAway: () => undefined,
      streamClosed: () => undefined,
      closed: () => (this.#transports = this.#transports.filter((other) => other !== transport)),
    });
    this.#transports.push(transport);
    return transport;
  }
}

/** A server that forwards to a port of this machine. */
export const http2Forwarder = (upstreamPort: number): Server => {
  const upstream = new Upstream(upstreamPort);
  const open = new Set<Http2Transport>();
  return createServer({ noDelay: true }, (socket) => {
    const transport = new Http2Transport(socket, "server", HTTP2_LIMITS.limits, HTTP2_LIMITS.patience, {
      request: (stream, head) => {
        const client = new Side(stream);
        if (head.method === "CONNECT") stream.reset(ERROR_CODE.refusedStream);
        else {
          upstream.open(head, (serverStream) => {
            const server = new Side(serverStream);
            [client.other, server.other] = [server, client];
            return server;
          });
        }
        return client;
      },
      ready: () => undefined,
      goAway: () => undefined,
      streamClosed: () => undefined,
      closed: () => open.delete(transport),
    });
    open.add(transport);
  });
};

if (import.meta.main) {
  const [, , upstreamPort = 0, port = 0] = argv.map(Number);
  const server = http2Forwarder(upstreamPort);
  server.listen(port, "127.0.0.1", () => {
    process.stdout.write(`listening ${(server.address() as AddressInfo).port}\n`);
  });
}
