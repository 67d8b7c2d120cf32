import { describe, expect, test } from "vitest";
import { CHUNKED, type Framing, NO_CONTENT, TUNNEL, UNTIL_CLOSE } from "./framing.ts";
import { field, type ResponseHead } from "./head.ts";
import { ResponseReader } from "./response-reader.ts";
import { type AnsweredRequest, ResponseWriter } from "./response-writer.ts";
import { bytesOf, textOf } from "./testing/record.ts";

const GET: AnsweredRequest = { method: "GET", version: "1.1", isPersistent: true };
const HEAD: AnsweredRequest = { ...GET, method: "HEAD" };
const CONNECT: AnsweredRequest = { ...GET, method: "CONNECT" };
const LAST: AnsweredRequest = { ...GET, isPersistent: false };
const OLD: AnsweredRequest = { method: "GET", version: "1.0", isPersistent: false };
const OLD_KEPT: AnsweredRequest = { ...OLD, isPersistent: true };

const head = (status: number, framing: Framing): ResponseHead => ({
  status,
  reason: "R",
  version: "1.1",
  fields: [field("X", "a")],
  framing,
});

interface Written {
  readonly text: string;
  readonly writer: ResponseWriter;
}

const answer = (request: AnsweredRequest, write: (writer: ResponseWriter) => void): Written => {
  const written = { text: "", writer: new ResponseWriter((bytes) => (written.text += textOf(bytes))) };
  written.writer.answer(request);
  write(written.writer);
  return written;
};

const answerAbc = (request: AnsweredRequest, framing: Framing): Written =>
  answer(request, (writer) => {
    writer.writeHead(head(200, framing));
    writer.writeData(bytesOf("abc"));
    writer.writeEnd();
  });

/** Reads an answer and forwards it, as a proxy does. */
const forward = (request: AnsweredRequest, text: string): Written =>
  answer(request, (writer) => {
    const reader = new ResponseReader({
      onInformational: (head) => writer.forwardHead(head),
      onHead: (head) => writer.forwardHead(head),
      onData: (data) => writer.writeData(data),
      onEnd: (trailers) => writer.writeEnd(trailers),
    });
    reader.await({ method: request.method, upgrade: ["websocket"] });
    reader.read(bytesOf(text));
    reader.readEnd();
  });

const LENGTH: Framing = { kind: "length", bytes: 3 };

test.each<[string, AnsweredRequest, Framing, string, boolean]>([
  ["a length", GET, LENGTH, "Content-Length: 3\r\n\r\nabc", false],
  ["chunks", GET, CHUNKED, "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false],
  [
    "until close is chunked for HTTP/1.1",
    GET,
    UNTIL_CLOSE,
    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    false,
  ],
  ["a last answer says so", LAST, LENGTH, "Content-Length: 3\r\nConnection: close\r\n\r\nabc", true],
  ["HTTP/1.0", OLD, LENGTH, "Content-Length: 3\r\nConnection: close\r\n\r\nabc", true],
  ["HTTP/1.0 that stays", OLD_KEPT, LENGTH, "Content-Length: 3\r\nConnection: keep-alive\r\n\r\nabc", false],
  ["HTTP/1.0 knows no chunks", OLD_KEPT, CHUNKED, "Connection: close\r\n\r\nabc", true],
])("%s", (_, request, framing, rest, isClosed) => {
  const { text, writer } = answerAbc(request, framing);
  expect(text).toBe(`HTTP/1.1 200 R\r\nX: a\r\n${rest}`);
  expect([writer.isClosed, writer.isIdle]).toEqual([isClosed, !isClosed]);
});

test.each<[string, AnsweredRequest, number, Framing, string]>([
  ["HEAD tells the length", HEAD, 200, LENGTH, "Content-Length: 3\r\n"],
  ["HEAD without a length", HEAD, 200, CHUNKED, ""],
  ["204", GET, 204, LENGTH, ""],
  ["304", GET, 304, CHUNKED, ""],
  ["no content where some is possible", GET, 200, NO_CONTENT, "Content-Length: 0\r\n"],
])("%s: a head alone", (_, request, status, framing, line) => {
  const { text, writer } = answer(request, (writer) => {
    writer.writeHead(head(status, framing));
    expect(() => writer.writeData(bytesOf("a"))).toThrow("bytes");
    writer.writeEnd();
  });
  expect(text).toBe(`HTTP/1.1 ${status} R\r\nX: a\r\n${line}\r\n`);
  expect(writer.isIdle).toBe(true);
});

test("informational responses come before the head; HTTP/1.0 gets none (RFC 9110 section 15.2)", () => {
  const write = (writer: ResponseWriter): void => {
    writer.writeInformational(head(103, NO_CONTENT));
    writer.writeHead(head(200, NO_CONTENT));
    writer.writeEnd();
  };
  expect(answer(GET, write).text).toBe(
    "HTTP/1.1 103 R\r\nX: a\r\n\r\nHTTP/1.1 200 R\r\nX: a\r\nContent-Length: 0\r\n\r\n",
  );
  expect(answer(OLD_KEPT, write).text).not.toContain("103");
});

test("an answer while the server drains is the last", () => {
  const { text, writer } = answer(GET, (writer) => {
    writer.closeAfter();
    writer.writeHead(head(200, NO_CONTENT));
    writer.writeEnd();
  });
  expect(text).toContain("Connection: close\r\n");
  expect(() => writer.answer(GET)).toThrow('state "closed"');
});

describe("tunnels", () => {
  test("a 101 names its protocol, and nothing of HTTP/1 follows", () => {
    const { text, writer } = answer(GET, (writer) => writer.writeHead(head(101, TUNNEL), ["websocket"]));
    expect(text).toBe("HTTP/1.1 101 R\r\nX: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    expect(() => writer.writeData(bytesOf("a"))).toThrow('state "tunnel"');
  });

  test("2xx to CONNECT has no framing", () => {
    expect(answer(CONNECT, (writer) => writer.writeHead(head(200, LENGTH))).text).toBe(
      "HTTP/1.1 200 R\r\nX: a\r\n\r\n",
    );
  });

  test("200 to GET opens none (H1-30)", () => {
    expect(() => answer(GET, (writer) => writer.writeHead(head(200, TUNNEL)))).toThrow("opens no tunnel");
  });
});

test("heads and content come in their order", () => {
  const disorder = expect.objectContaining({ reason: "bad-order" });
  const writer = new ResponseWriter(() => {});
  expect(() => writer.writeHead(head(200, LENGTH))).toThrow(disorder);
  writer.answer(GET);
  expect(() => writer.answer(GET)).toThrow(disorder);
  expect(() => writer.writeEnd()).toThrow(disorder);
  expect(() => writer.writeHead(head(100, NO_CONTENT))).toThrow(disorder);
  expect(() => writer.writeInformational(head(200, NO_CONTENT))).toThrow(disorder);
  expect(() => writer.writeInformational(head(101, NO_CONTENT))).toThrow(disorder);
  writer.writeHead(head(200, LENGTH));
  expect(() => writer.writeHead(head(200, LENGTH))).toThrow(disorder);
  expect(() => writer.writeEnd()).toThrow("3 bytes left");
});

test.each<[string, AnsweredRequest, string, string]>([
  [
    "as it came",
    GET,
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
  ],
  [
    "without the server's own connection fields",
    GET,
    "HTTP/1.1 200 OK\r\nConnection: close\r\nKeep-Alive: timeout=5\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
  ],
  [
    "to a client that closes",
    LAST,
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
  ],
  [
    "from chunks to HTTP/1.0",
    OLD_KEPT,
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: a\r\n\r\n",
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc",
  ],
  [
    "with trailers",
    GET,
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n\r\n",
  ],
  [
    "from HTTP/1.0",
    GET,
    "HTTP/1.0 200 OK\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
  ],
  ["HEAD", HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 03\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"],
  ["304", GET, "HTTP/1.1 304 OK\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 304 OK\r\nContent-Length: 3\r\n\r\n"],
  ["204 with a length", GET, "HTTP/1.1 204 OK\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 204 OK\r\n\r\n"],
  [
    "1xx before the answer",
    GET,
    "HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 204 OK\r\n\r\n",
    "HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 204 OK\r\n\r\n",
  ],
  [
    "101",
    GET,
    "HTTP/1.1 101 Switching\r\nX: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "HTTP/1.1 101 Switching\r\nX: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
  ],
])("forwarded: %s", (_, request, text, expected) => {
  expect(forward(request, text).text).toBe(expected);
});
