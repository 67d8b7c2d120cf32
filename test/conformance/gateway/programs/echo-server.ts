/**
 * The server of the mesh conformance tests, in their echo protocol: it answers with what it was asked, in lines of `Key=Value`.
 *
 *   8080  HTTP/1.1, and HTTP/2 with prior knowledge; the query's knobs are in echo-knobs.ts
 *   9090  TCP: lines, then what was sent
 *   7070  gRPC: proto.EchoTestService/Echo
 *
 * Beyond that protocol: requests with `x-seen-as: KEY` are remembered, and `GET /seen?as=KEY` tells them as JSON.
 */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { hostname } from "node:os";
import { env } from "node:process";
import { Metadata, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { readKnobs } from "./echo-knobs.ts";
import { decodeMessage, ECHO_METHOD, type EchoMessage, encodeMessage } from "./echo-message.ts";

const HTTP_PORT = 8080;
const GRPC_PORT = 7070;
const TCP_PORT = 9090;
const LISTEN = env.LISTEN ?? "::";
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n");

const attempts = new Map<string, number>();

/** A request as the server had it, its connection and its content included. */
interface Seen {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  readonly proto: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}
const seen = new Map<string, Seen[]>();

type Asked = IncomingMessage | Http2ServerRequest;
type Answer = ServerResponse | Http2ServerResponse;

const plain = (address: string | undefined): string => (address ?? "").replace(/^::ffff:/, "");

/** As Go writes them: the first letter and each after a hyphen large. */
const canonical = (name: string): string =>
  name.toLowerCase().replaceAll(/(^|-)[a-z]/g, (letters) => letters.toUpperCase());

/** Without Host, which has a line of its own. */
const headersOf = ({ rawHeaders }: Asked): readonly (readonly [string, string])[] => {
  const pairs: (readonly [string, string])[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = "", value = ""] = rawHeaders.slice(index, index + 2);
    if (name.toLowerCase() !== "host" && !name.startsWith(":")) pairs.push([canonical(name), value]);
  }
  return pairs.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
};

const linesOf = (asked: Asked, body: string): Seen & { readonly lines: string } => {
  const { method = "", url = "", httpVersion, socket } = asked;
  const host = String(asked.headers.host ?? asked.headers[":authority"] ?? "");
  const proto = `HTTP/${httpVersion}`;
  const headers = headersOf(asked);
  const lines = [
    `ServiceVersion=${env.SERVICE_VERSION ?? ""}`,
    `ServicePort=${(socket.address() as AddressInfo).port}`,
    `Host=${host}`,
    `URL=${url}`,
    `Method=${method}`,
    `Proto=${proto}`,
    `IP=${plain(socket.remoteAddress)}`,
    ...headers.map(([name, value]) => `RequestHeader=${name}:${value}`),
    `Hostname=${hostname()}`,
  ];
  return { method, url, host, proto, headers, body, lines: `${lines.join("\n")}\n` };
};

const respond = (
  answer: Answer,
  status: number,
  fields: readonly (readonly [string, string])[],
  body: string,
): void => {
  answer.statusCode = status;
  for (const [name, value] of fields) answer.appendHeader(name, value);
  if (answer.getHeader("content-type") === undefined) answer.setHeader("content-type", "application/text");
  // The two kinds of `end` have nothing in common but this.
  (answer as ServerResponse).end(body);
};

const onRequest = (asked: Asked, answer: Answer): void => {
  const parts: Buffer[] = [];
  asked.on("error", () => undefined);
  asked.on("data", (part: Buffer) => parts.push(part));
  asked.on("end", () => {
    const { searchParams, pathname } = new URL(asked.url ?? "/", "http://echo");
    if (pathname === "/seen") {
      return respond(answer, 200, [], JSON.stringify(seen.get(searchParams.get("as") ?? "") ?? []));
    }
    const { lines, ...request } = linesOf(asked, Buffer.concat(parts).toString());
    const key = asked.headers["x-seen-as"];
    if (typeof key === "string") seen.set(key, [...(seen.get(key) ?? []), request]);
    const { delayMs, status, fields, isReset } = readKnobs(searchParams, attempts, Math.random);
    return setTimeout(() => {
      if (isReset) reset(asked);
      else respond(answer, status, fields, lines);
    }, delayMs);
  });
};

const reset = (asked: Asked): void => {
  if ("stream" in asked) asked.stream.close(2);
  else asked.socket.resetAndDestroy();
};

const http1 = createHttpServer(onRequest);
const http2 = createHttp2Server(onRequest);
// Clients give up when they like.
http2.on("sessionError", () => undefined);

/** Which of the two HTTP it is, the first bytes say. */
const onConnection = (socket: Socket): void => {
  let begun = Buffer.alloc(0);
  const onData = (bytes: Buffer): void => {
    begun = Buffer.concat([begun, bytes]);
    const length = Math.min(begun.length, PREFACE.length);
    const isHttp2 = begun.subarray(0, length).equals(PREFACE.subarray(0, length));
    if (isHttp2 && length < PREFACE.length) return;
    socket.off("data", onData);
    socket.pause();
    socket.unshift(begun);
    (isHttp2 ? http2 : http1).emit("connection", socket);
    if (!isHttp2) socket.resume();
  };
  socket.on("data", onData);
  socket.on("error", () => undefined);
};

const onTcp = (socket: Socket): void => {
  socket.on("error", () => undefined);
  const about = { ServicePort: TCP_PORT, IP: plain(socket.remoteAddress), Proto: "TCP", Hostname: hostname() };
  const lines = Object.entries({ StatusCode: 200, ServiceVersion: env.SERVICE_VERSION ?? "", ...about });
  socket.write(lines.map(([key, value]) => `${key}=${value}\n`).join(""));
  socket.pipe(socket);
};

const onCall = (call: ServerUnaryCall<EchoMessage, EchoMessage>, done: sendUnaryData<EchoMessage>): void => {
  const headers = Object.entries(call.metadata.getMap())
    .filter(([name]) => !name.endsWith("-bin"))
    .flatMap(([name]) => call.metadata.get(name).map((value) => `RequestHeader=${name}:${String(value)}`));
  const about = [
    `Host=${call.getHost()}`,
    ...headers,
    "StatusCode=200",
    `ServiceVersion=${env.SERVICE_VERSION ?? ""}`,
    `ServicePort=${GRPC_PORT}`,
    `IP=${plain(call.getPeer().replace(/:[0-9]+$/, ""))}`,
    "Proto=GRPC",
    `Echo=${call.request.message}`,
    `Hostname=${hostname()}`,
  ];
  const trailers = new Metadata();
  trailers.set("x-echo-trailer", "end");
  done(null, { message: `${about.join("\n")}\n` }, trailers);
};

const grpc = new Server();
grpc.addService(
  {
    Echo: {
      path: ECHO_METHOD,
      requestStream: false,
      responseStream: false,
      requestSerialize: encodeMessage,
      requestDeserialize: decodeMessage,
      responseSerialize: encodeMessage,
      responseDeserialize: decodeMessage,
    },
  },
  { Echo: onCall },
);

createServer({ noDelay: true }, onConnection).listen(HTTP_PORT, LISTEN);
createServer(onTcp).listen(TCP_PORT, LISTEN);
const grpcAddress = LISTEN.includes(":") ? `[${LISTEN}]:${GRPC_PORT}` : `${LISTEN}:${GRPC_PORT}`;
grpc.bindAsync(grpcAddress, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  process.stdout.write("listening\n");
});
