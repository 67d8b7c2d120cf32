/**
 * Applications that say what they have got, and such as behave badly, in a pod:
 *
 *   8090  HTTP/1.1, Node.js: answers with the request as JSON, see {@link Seen}; `/report` what was seen on all ports
 *   8091  HTTP/1.1 by hand: what it does stands in the path, see BAD
 *   8092  HTTP/2, node:http2: as 8090; `/lose` destroys the connection in the middle of its answer, `/early` answers at once
 *   8094  HTTP/1.1, Node.js: ends idle connections after IDLE_MS
 *   8095  HTTP/2 by hand: the content of a request is the code with which its answer is reset in the middle
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcpServer, type Socket } from "node:net";
import { env } from "node:process";
import { buffer } from "node:stream/consumers";

const IDLE_MS = Number(env.IDLE_MS ?? 200);

/** A request as it arrived. Content in base64. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  /** Names and values in turn. */
  readonly fields: readonly string[];
  readonly content: string;
  readonly trailers: readonly string[];
}

/** What happened since the program began. */
export interface Report {
  /** How often each `POST /count/ID` came. */
  readonly counts: Readonly<Record<string, number>>;
  /** Targets of requests whose client was gone before they were answered. */
  readonly gone: readonly string[];
  /** Requests to port 8090, but for reports. */
  readonly requests: number;
  /** Connections that were opened to each port. */
  readonly connections: Readonly<Record<number, number>>;
  /** Bytes of content that came to `/early`. */
  readonly early: number;
}

const counts: Record<string, number> = {};
const gone: string[] = [];
const connections: Record<number, number> = {};
let early = 0;
let requests = 0;
const report = (): string => JSON.stringify({ counts, gone, requests, connections, early } satisfies Report);

const count = (method: string, target: string): void => {
  const id = /^\/count\/(.+)$/.exec(target)?.[1];
  if (method === "POST" && id !== undefined) counts[id] = (counts[id] ?? 0) + 1;
};

const answer = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { method = "", url = "" } = asked;
  count(method, url);
  if (url === "/report") return void response.end(report());
  requests += 1;
  response.on("close", () => {
    if (!response.writableFinished) gone.push(url);
  });
  asked.on("error", () => undefined);
  if (url.startsWith("/hang")) return;
  const content = (await buffer(asked).catch(() => Buffer.alloc(0))).toString("base64");
  const fields = (asked.rawHeaders as readonly unknown[]).map(String).slice(0, 2 * 200);
  const trailers = ((asked.rawTrailers ?? []) as readonly unknown[]).map(String);
  const seen: Seen = { method, url, fields, content, trailers };
  response.setHeader("content-type", "application/json");
  if (url.startsWith("/bare")) response.statusCode = 204;
  response.end(response.statusCode === 204 ? undefined : `${JSON.stringify(seen)}\n`);
};

createServer({ requireHostHeader: false }, (asked, response) => void answer(asked, response)).listen(8090, "::");

const tracked = (port: number, onConnection: (socket: Socket) => void): void =>
  void createTcpServer((socket) => {
    connections[port] = (connections[port] ?? 0) + 1;
    socket.on("error", () => undefined);
    onConnection(socket);
  }).listen(port, "::");

const OK = "HTTP/1.1 200 OK\r\n";
/** After half of an answer, long enough that it has left. */
const soon = (act: () => void): void => void setTimeout(act, 100);

const BAD: Readonly<Record<string, (socket: Socket) => void>> = {
  "/reset-before": (socket) => void socket.resetAndDestroy(),
  "/end-before": (socket) => void socket.end(),
  "/reset-length": (socket) => {
    socket.write(`${OK}Content-Length: 10\r\n\r\nhalf`);
    soon(() => socket.resetAndDestroy());
  },
  "/end-length": (socket) => void socket.end(`${OK}Content-Length: 10\r\n\r\nhalf`),
  "/reset-chunked": (socket) => {
    socket.write(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`);
    soon(() => socket.resetAndDestroy());
  },
  "/end-chunked": (socket) => void socket.end(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`),
  "/reset-close": (socket) => {
    socket.write(`${OK}\r\nhalf`);
    soon(() => socket.resetAndDestroy());
  },
  "/end-close": (socket) => void socket.end(`${OK}\r\nall`),
  "/claim": (socket) =>
    void socket.write(
      `HTTP/1.1 103 Early Hints\r\nX-Heddle-Error: no-route\r\nLink: a\r\n\r\n${OK}X-HEDDLE-Error: no-route\r\nx-heddle-error: b\r\n` +
        `Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-heddle-error: c\r\nx-last: d\r\n\r\n`,
    ),
  "/bad-length": (socket) => void socket.write(`${OK}Content-Length: 1, 2\r\n\r\nx`),
  "/two-answers": (socket) =>
    void socket.write(`${OK}Content-Length: 3\r\n\r\none${OK}Content-Length: 6\r\n\r\npoison`),
  "/early": (socket) => {
    socket.write(`HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig`);
    socket.on("data", (bytes) => (early += bytes.length));
  },
  "/upgrade": (socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ");
    socket.on("data", (bytes) => void socket.write(bytes));
    socket.on("end", () => void socket.end("bye"));
  },
};

tracked(8091, (socket) => {
  let head = "";
  const onData = (bytes: Buffer): void => {
    head += bytes.toString("latin1");
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    socket.off("data", onData);
    const [, target = ""] = head.split(" ");
    head = "";
    (BAD[target] ?? ((one) => one.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")))(socket);
    if (!socket.destroyed && target !== "/upgrade" && target !== "/early") socket.on("data", onData);
  };
  socket.on("data", onData);
});

const http2 = createHttp2Server();
http2.on("sessionError", () => undefined);
http2.on("stream", (stream: ServerHttp2Stream, headers) => {
  const path = headers[":path"] ?? "";
  stream.on("error", () => undefined);
  const [, what = ""] = path.split("/");
  if (what === "hang") return void stream.on("close", () => void gone.push(path));
  if (what === "lose") {
    stream.respond({ ":status": 200 });
    stream.write("half");
    return soon(() => stream.session?.destroy());
  }
  if (what === "early") {
    stream.respond({ ":status": 413 });
    stream.end("big");
    stream.on("data", (bytes: Buffer) => (early += bytes.length));
  }
});
http2.on("request", (asked, response) => {
  if (!/^\/(?:hang|lose|early)/.test(asked.url))
    void answer(asked as unknown as IncomingMessage, response as unknown as ServerResponse);
});
http2.listen(8092, "::");

const frame = (type: number, flags: number, stream: number, payload: Uint8Array): Buffer => {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
};
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PREFACE_BYTES = 24;

tracked(8095, (socket) => {
  let rest = Buffer.alloc(0);
  let at = PREFACE_BYTES;
  socket.write(frame(SETTINGS, 0, 0, Buffer.alloc(0)));
  socket.on("data", (bytes) => {
    rest = Buffer.concat([rest, bytes as Buffer]);
    for (;;) {
      const length = rest.length < at + 9 ? Infinity : rest.readUIntBE(at, 3);
      if (rest.length < at + 9 + length) return;
      const [type, flags, stream] = [rest[at + 3], rest[at + 4] ?? 0, rest.readUInt32BE(at + 5)];
      const payload = rest.subarray(at + 9, at + 9 + length);
      at += 9 + length;
      if (type === SETTINGS && (flags & 1) === 0) socket.write(frame(SETTINGS, 1, 0, Buffer.alloc(0)));
      if (type !== DATA || payload.length === 0) continue;
      const code = Buffer.alloc(4);
      code.writeUInt32BE(Number(payload.toString()));
      // `:status: 200` is the eighth of HPACK's own fields.
      socket.write(frame(HEADERS, 4, stream, Buffer.of(0x88)));
      socket.write(frame(DATA, 0, stream, Buffer.from("half")));
      soon(() => void socket.write(frame(RST_STREAM, 0, stream, code)));
    }
  });
});

const impatient = createServer((asked, response) => {
  count(asked.method ?? "", asked.url ?? "");
  asked.resume();
  asked.on("end", () => void response.end("ok"));
});
impatient.keepAliveTimeout = IDLE_MS;
// Node.js waits for a second more than it says; other servers do not.
impatient.keepAliveTimeoutBuffer = 0;
impatient.listen(8094, "::", () => process.stdout.write("listening\n"));
