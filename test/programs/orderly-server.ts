/**
 * A server in a pod that ends its work when it is asked to end (SIGTERM): it listens no more, ends what is idle, answers what it
 * was asked, and is gone. With LISTEN_AFTER_MS it begins so much later. Each port says the pod's name:
 *
 *   8080  HTTP/1.1: any path; /halves says it in two halves, /endless says it again and again, without a length or chunks, /slow/MS
 *         after a while; a request to switch protocols becomes an echo
 *   8081  HTTP/2 with prior knowledge: the same
 *   7070  gRPC: orderly.Test/Unary says the pod's name, orderly.Test/Echo sends back each message
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { hostname } from "node:os";
import type { Duplex } from "node:stream";
import { env, exit } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type sendUnaryData,
  type ServerUnaryCall,
} from "@grpc/grpc-js";

const LISTEN = "::";
const HALF_MS = 30;
const PIECE_MS = 20;
const NAME = env.NAME ?? hostname();

let isEnding = false;

/** What both versions of HTTP have of it. */
type Answer = ServerResponse;

const endlessly = async (response: Answer): Promise<void> => {
  while (!response.destroyed) {
    response.write(`${NAME}\n`);
    await wait(PIECE_MS);
  }
};

const say = async (path: string, response: Answer): Promise<void> => {
  if (path === "/endless") return endlessly(response);
  if (path.startsWith("/slow/")) await wait(Number(path.slice("/slow/".length)));
  if (path !== "/halves") return void response.end(NAME);
  response.setHeader("content-length", NAME.length);
  response.write(NAME.slice(0, 2));
  await wait(HALF_MS);
  response.end(NAME.slice(2));
};

const answer = (asked: IncomingMessage | Http2ServerRequest, given: ServerResponse | Http2ServerResponse): void => {
  const response = given as Answer;
  const path = asked.url ?? "";
  if (asked.httpVersion !== "2.0" && (isEnding || path === "/endless")) {
    response.setHeader("connection", "close");
    if (path === "/endless") response.useChunkedEncodingByDefault = false;
  }
  asked.on("error", () => undefined);
  response.on("error", () => undefined);
  asked.resume().once("end", () => void say(path, response));
};

const http = createServer(answer);
const switched = new Set<Duplex>();
http.on("upgrade", (_, socket: Duplex) => {
  switched.add(socket);
  socket.once("close", () => switched.delete(socket)).on("error", () => undefined);
  socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  socket.pipe(socket);
});

const http2 = createHttp2Server(answer);

const asBytes = (bytes: Buffer): Buffer => bytes;
const method = (name: string, isStream: boolean) => ({
  path: `/orderly.Test/${name}`,
  requestStream: isStream,
  responseStream: isStream,
  requestSerialize: asBytes,
  requestDeserialize: asBytes,
  responseSerialize: asBytes,
  responseDeserialize: asBytes,
});
const grpc = new Server();
const streams = new Set<ServerDuplexStream<Buffer, Buffer>>();
grpc.addService(
  { Unary: method("Unary", false), Echo: method("Echo", true) },
  {
    Unary: (_: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, Buffer.from(NAME)),
    Echo: (call: ServerDuplexStream<Buffer, Buffer>) => {
      streams.add(call);
      call.once("close", () => streams.delete(call));
      call.on("data", (message: Buffer) => call.write(message));
      call.on("end", () => call.end());
      call.on("error", () => undefined);
    },
  },
);

const closed = (server: { close(done: () => void): unknown }): Promise<void> =>
  new Promise((resolve) => void server.close(() => resolve()));

const end = async (): Promise<void> => {
  isEnding = true;
  process.stdout.write("ending\n");
  for (const duplex of [...switched, ...streams]) duplex.end();
  const rpcs = new Promise<void>((resolve) => grpc.tryShutdown(() => resolve()));
  await Promise.all([closed(http), closed(http2), rpcs]);
  exit(0);
};

process.once("SIGTERM", () => void end());
await wait(Number(env.LISTEN_AFTER_MS ?? 0));
http.listen(8080, LISTEN, 4_096);
http2.listen(8081, LISTEN, 4_096);
grpc.bindAsync(`[${LISTEN}]:7070`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  process.stdout.write("listening\n");
});
