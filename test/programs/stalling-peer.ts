/**
 * Stands at one end of a tunnel connection and says no more from a certain stage on. One JSON object as argument, one line of JSON
 * for each thing that happens.
 *
 * As a server (`serve`) it stalls before the TLS handshake (`tls`), before SETTINGS (`settings`), before the answer to CONNECT
 * (`connect`), in the middle of the answer's body (`body`). As a client it stalls before ClientHello (`tls`), after the handshake
 * (`settings`), after the connection's preface (`connect`), in the middle of a field block (`block`).
 */
import { readFileSync } from "node:fs";
import { type IncomingHttpHeaders, performServerHandshake } from "node:http2";
import { connect as connectTcp, createServer as createTcpServer, type Socket } from "node:net";
import { connect, createServer } from "node:tls";

interface Wish {
  readonly stage: "tls" | "settings" | "connect" | "block" | "body";
  readonly serve?: boolean;
  readonly host: string;
  readonly cert: string;
  readonly key: string;
}

const { stage, serve, host, cert, key } = JSON.parse(process.argv[2] ?? "{}") as Wish;
const PORT = 15008;
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const credentials = { cert: readFileSync(cert), key: readFileSync(key), ALPNProtocols: ["h2"] };

/** Says when the other end has had enough. */
const watch = (socket: Socket): void => {
  const startedAt = performance.now();
  socket.on("error", () => undefined);
  socket.once("close", () => say({ event: "closed", afterMs: Math.round(performance.now() - startedAt) }));
};

const http2 = (socket: Socket): void => {
  const session = performServerHandshake(socket);
  session.on("error", () => undefined);
  session.on("stream", (stream, _headers: IncomingHttpHeaders) => {
    stream.on("error", () => undefined);
    stream.once("close", () => say({ event: "stream-closed", code: stream.rstCode }));
    if (stage === "connect") return;
    stream.respond({ ":status": 200 });
    stream.write("half");
  });
};

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
/** HEADERS of stream 1 without END_HEADERS; the CONTINUATION never comes. */
const HALF_BLOCK = Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]);

if (serve) {
  const server = stage === "tls" ? createTcpServer() : createServer({ ...credentials, minVersion: "TLSv1.3" });
  server.on(stage === "tls" ? "connection" : "secureConnection", (socket: Socket) => {
    watch(socket);
    // What comes is read, so that its end is seen.
    if (stage === "tls" || stage === "settings") socket.resume();
    else http2(socket);
  });
  server.listen(PORT, "::", () => say({ event: "listening" }));
} else if (stage === "tls") watch(connectTcp({ host, port: PORT }).resume());
else {
  const socket = connect({ ...credentials, host, port: PORT, rejectUnauthorized: false });
  watch(socket);
  socket.resume();
  if (stage !== "settings") socket.write(Buffer.concat([PREFACE, SETTINGS]));
  if (stage === "block") socket.write(HALF_BLOCK);
}
