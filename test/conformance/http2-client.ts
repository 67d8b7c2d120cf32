/**
 * An HTTP/2 client on the project's own connection, in clear: it does one GET and stays until the server closes, or for two
 * seconds. For conformance tools that play the server.
 *
 *     bin/node test/conformance/http2-client.ts http://127.0.0.1:PORT/
 */
import { connect } from "node:net";
import { argv, exit } from "node:process";
import { HTTP2_LIMITS } from "#proxy/transport/http2-limits.ts";
import { Http2Transport } from "#proxy/transport/http2-transport.ts";

const STAY_MS = 2_000;
const field = (name: string, value: string) => ({ name, value, isNeverIndexed: false });

const { hostname, port, host, pathname } = new URL(argv[2] ?? "");
const socket = connect({ host: hostname, port: Number(port) });
const transport = new Http2Transport(socket, "client", HTTP2_LIMITS.limits, HTTP2_LIMITS.patience, {
  request: () => {
    throw new Error("a server opened a stream");
  },
  ready: () => undefined,
  goAway: () => undefined,
  streamClosed: () => undefined,
  closed: () => exit(),
});
const head = [field(":method", "GET"), field(":scheme", "http"), field(":authority", host), field(":path", pathname)];
transport.connection.open(head, true, (stream) => ({
  data: ({ length }) => stream.consumed(length),
  end: () => undefined,
  writable: () => undefined,
  reset: () => undefined,
}));
setTimeout(() => transport.destroy("done"), STAY_MS);
