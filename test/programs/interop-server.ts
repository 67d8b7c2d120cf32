/**
 * Servers that other people wrote, in a pod, each as they come:
 *
 *   8080  Node.js, HTTP/1.1: GET /who its pod, /bytes/N so many bytes, /trailers, /hints; POST /digest the SHA-256 and length of the
 *         content, /echo the content as it comes. KEEP_ALIVE_MS: when it ends idle connections, 5 s as Node.js has it
 *   8081  Node.js, HTTP/2 with prior knowledge: the same, by node:http2
 *   7070  @grpc/grpc-js: service interop.Test, messages of any bytes
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { hostname } from "node:os";
import { env } from "node:process";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";

const LISTEN = env.LISTEN ?? "::";

type Asked = IncomingMessage | Http2ServerRequest;
/** The one for HTTP/2 can do what the other can, as far as it is used here. */
type Answer = ServerResponse;

const digest = (asked: Asked, response: Answer): void => {
  const hash = createHash("sha256");
  let length = 0;
  asked.on("data", (part: Buffer) => {
    hash.update(part);
    length += part.length;
  });
  asked.on("end", () => response.end(`${hash.digest("hex")} ${length} ${JSON.stringify(asked.trailers)}\n`));
};

const answer = (asked: Asked, given: Answer | Http2ServerResponse): unknown => {
  const response = given as Answer;
  const [, what = "", number = ""] = (asked.url ?? "").split(/[/?]/);
  asked.on("error", () => undefined);
  switch (what) {
    case "who":
      return response.end(`${hostname()}\n`);
    case "bytes":
      return response.end(Buffer.alloc(Number(number), "heddle"));
    case "digest":
      return digest(asked, response);
    case "echo":
      return asked.pipe(response);
    case "hints":
      response.writeEarlyHints({ link: "</style.css>; rel=preload" });
      return response.end("after hints\n");
    case "trailers":
      response.writeHead(200, { trailer: "x-last" });
      response.write("content\n");
      response.addTrailers({ "x-last": "said" });
      return response.end();
    default:
      response.statusCode = 404;
      return response.end("not here\n");
  }
};

const http = createServer(answer);
http.keepAliveTimeout = Number(env.KEEP_ALIVE_MS ?? 5_000);
// Node.js waits for a second more than it says; other servers do not.
http.keepAliveTimeoutBuffer = 0;
http.listen(8080, LISTEN, 4_096);
createHttp2Server(answer).listen(8081, LISTEN, 4_096);

const unary = (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void => {
  const [code] = call.metadata.get("fail-with");
  const trailers = new Metadata();
  trailers.set("x-trailer", "end");
  trailers.set("x-trailer-bin", Buffer.of(0, 255));
  if (code !== undefined) return done({ code: Number(code), details: "as you wished: 100 % ✓", metadata: trailers });
  if (call.metadata.get("hang").length > 0) return undefined;
  const head = new Metadata();
  head.set("x-pod", hostname());
  call.sendMetadata(head);
  return done(null, call.request, trailers);
};

/** As many messages as the first one says. */
const serverStream = (call: ServerWritableStream<Buffer, Buffer>): void => {
  let left = Number(call.request.toString());
  const send = (): void => {
    while (left > 0) if (!call.write(Buffer.alloc(1_000, String(left--)))) return void call.once("drain", send);
    call.end();
  };
  send();
};

/** How many messages came, and how many bytes. */
const clientStream = (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>): void => {
  let [messages, bytes] = [0, 0];
  call.on("data", (message: Buffer) => {
    messages++;
    bytes += message.length;
  });
  call.on("end", () => done(null, Buffer.from(`${messages} ${bytes}`)));
};

const bothStreams = (call: ServerDuplexStream<Buffer, Buffer>): void => {
  call.on("data", (message: Buffer) => call.write(message));
  call.on("end", () => call.end());
  call.on("error", () => undefined);
};

const asBytes = (bytes: Buffer): Buffer => bytes;
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/interop.Test/${name}`,
  requestStream,
  responseStream,
  requestSerialize: asBytes,
  requestDeserialize: asBytes,
  responseSerialize: asBytes,
  responseDeserialize: asBytes,
});
const grpc = new Server();
grpc.addService(
  {
    Unary: method("Unary", false, false),
    ServerStream: method("ServerStream", false, true),
    ClientStream: method("ClientStream", true, false),
    BothStreams: method("BothStreams", true, true),
  },
  { Unary: unary, ServerStream: serverStream, ClientStream: clientStream, BothStreams: bothStreams },
);
const address = LISTEN.includes(":") ? `[${LISTEN}]:7070` : `${LISTEN}:7070`;
grpc.bindAsync(address, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  process.stdout.write("listening\n");
});
