/**
 * A tunnel server that shares no code with Heddle: node:tls and node:http2 only. Reads one JSON object from its first argument and
 * says one line of JSON for each thing that happens. What it answers depends on the port that a tunnel asks for:
 *
 *   8080  200, then one line of JSON with what it saw of the request, then the end
 *   8085  200, then an echo
 *   4000, 4001, 5003   400, 401, 503
 *   4008  nothing
 *   4010  200, and RST_STREAM in the middle
 *   4020  200, one line, and then GOAWAY for the connection
 */
import { readFileSync } from "node:fs";
import { constants, performServerHandshake, type ServerHttp2Stream } from "node:http2";
import { createServer } from "node:tls";

interface Wish {
  readonly host: string;
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
  readonly alpn?: readonly string[];
  readonly maxConcurrentStreams?: number;
  /** Says nothing after the handshake. */
  readonly mute?: boolean;
}

const wish = JSON.parse(process.argv[2] ?? "{}") as Wish;
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
let connections = 0;

const server = createServer(
  {
    cert: readFileSync(wish.cert),
    key: readFileSync(wish.key),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: [...(wish.alpn ?? ["h2"])],
    minVersion: "TLSv1.3",
  },
  (socket) => {
    const connection = ++connections;
    const client = socket.getPeerX509Certificate()?.subjectAltName;
    say({ event: "connection", connection, client, alpn: socket.alpnProtocol, servername: socket.servername });
    socket.on("error", () => undefined);
    socket.on("close", () => say({ event: "closed", connection }));
    if (wish.mute) {
      socket.on("data", (chunk) => say({ event: "bytes", bytes: chunk.length }));
      return;
    }
    const { maxConcurrentStreams = 100 } = wish;
    const session = performServerHandshake(socket, { settings: { maxConcurrentStreams, enablePush: false } });
    session.on("error", () => undefined);
    session.on("remoteSettings", (settings) => say({ event: "settings", connection, settings }));
    session.on("stream", (stream, headers) => {
      const authority = headers[":authority"] ?? "";
      const seen = { event: "request", connection, client, from: socket.remoteAddress, headers: { ...headers } };
      say(seen);
      stream.on("error", () => undefined);
      stream.on("close", () => say({ event: "stream-closed", authority, rst: stream.rstCode }));
      answer(stream, Number(authority.split(":").at(-1)), `${JSON.stringify(seen)}\n`, () => session.close());
    });
  },
);

const answer = (stream: ServerHttp2Stream, port: number, line: string, goAway: () => void): void => {
  const ok = (): void => stream.respond({ ":status": 200 });
  const statuses: Readonly<Record<number, number>> = { 4000: 400, 4001: 401, 5003: 503 };
  const status = statuses[port];
  if (status !== undefined) return stream.respond({ ":status": status }, { endStream: true });
  if (port === 4008) return undefined;
  ok();
  if (port === 8085) return void stream.pipe(stream);
  if (port === 4010) {
    stream.write("half");
    return void setTimeout(() => stream.destroy(new Error("broken")), 200);
  }
  stream.resume();
  stream.end(line);
  if (port === 4020) goAway();
  return undefined;
};

server.on("tlsClientError", (error) => say({ event: "refused", error: error.message }));
server.listen(15008, wish.host, () => say({ event: "listening", constants: constants.NGHTTP2_NO_ERROR }));
