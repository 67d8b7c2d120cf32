import { expect, test } from "vitest";
import { CHUNKED, type Framing, NO_CONTENT } from "./framing.ts";
import { field, type RequestHead } from "./head.ts";
import { RequestReader } from "./request-reader.ts";
import { RequestWriter } from "./request-writer.ts";
import { bytesOf, type Recorded, recordRequests, textOf } from "./testing/record.ts";
import { REQUEST_CASES } from "./testing/request-cases.ts";

const post = (framing: Framing): RequestHead => ({
  method: "POST",
  target: "/",
  version: "1.1",
  fields: [field("Host", "a")],
  framing,
});

const written = (write: (writer: RequestWriter) => void): string => {
  let text = "";
  write(new RequestWriter((bytes) => (text += textOf(bytes))));
  return text;
};

/** Reads and forwards, as a proxy does. */
const forwarded = (text: string, offers = false): string =>
  written((writer) => {
    const reader = new RequestReader({
      onHead: (head) => writer.forwardHead(head, offers ? head.upgrade : []),
      onData: (data) => writer.writeData(data),
      onEnd: (trailers) => writer.writeEnd(trailers),
    });
    let rest = bytesOf(text);
    while (rest.length > 0) rest = rest.subarray(reader.read(rest));
  });

const accepted = REQUEST_CASES.filter(({ expected }) => "accept" in expected);

test.each(accepted)("$id forwarded is canonical, and the same message (section 1, rule 3)", ({ bytes }) => {
  const before = recordRequests([bytesOf(bytes)]);
  const after = recordRequests([bytesOf(forwarded(bytes))]);
  const rebuilt = after.flatMap((each) => (each.kind === "request" ? [each.head.rebuild] : []));
  // TE is said anew by each hop, together with its connection option.
  expect(new Set(rebuilt)).toEqual(new Set([bytes.includes("\r\nTE:") ? "hop-by-hop" : undefined]));
  expect(messages(after)).toEqual(messages(before));
});

test.each(accepted.filter(({ expected }) => "accept" in expected && expected.accept === "as is"))(
  "$id: the head goes on byte by byte",
  ({ bytes }) => {
    const [request] = recordRequests([bytesOf(bytes)]);
    if (request?.kind !== "request") throw new Error("no request");
    expect(forwarded(bytes).startsWith(request.raw)).toBe(true);
  },
);

test.each([
  ["GET http://A:80/x?y HTTP/1.1\r\nX: 1\r\nhost: a\r\n\r\n", "GET /x?y HTTP/1.1\r\nhost: A:80\r\nX: 1\r\n\r\n"],
  ["GET http://a?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?y HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["GET / HTTP/1.0\r\nHost: a\r\nExpect: foo\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["GET / HTTP/1.1\r\nHost:a\r\nX:  b \r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n"],
  [
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n1;ext\r\na\r\n0;ext\r\nX: b\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: b\r\n\r\n",
  ],
  ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
])("%j is forwarded as %j", (text, expected) => {
  expect(forwarded(text)).toBe(expected);
});

test("an upgrade is offered on only when it is handed on, and h2c never (H1-61)", () => {
  const text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c, websocket\r\n\r\n";
  expect(forwarded(text)).toBe("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  expect(forwarded(text, true)).toBe("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
});

test("chunks are framed as they come, small and large, and empty ones do not end the content", () => {
  const large = "x".repeat(5000);
  const text = written((writer) => {
    writer.writeHead(post(CHUNKED));
    for (const data of ["abc", "", large]) writer.writeData(bytesOf(data));
    writer.writeEnd();
  });
  expect(text.split("\r\n\r\n").slice(1).join("\r\n\r\n")).toBe(`3\r\nabc\r\n1388\r\n${large}\r\n0\r\n\r\n`);
});

test("content that is longer or shorter than its length is never written as a whole message", () => {
  const write =
    (framing: Framing, ...data: readonly string[]) =>
    () =>
      written((writer) => {
        writer.writeHead(post(framing));
        for (const each of data) writer.writeData(bytesOf(each));
        writer.writeEnd();
      });
  const mismatch = expect.objectContaining({ reason: "length-mismatch" });
  expect(write({ kind: "length", bytes: 3 }, "ab", "c")).not.toThrow();
  expect(write({ kind: "length", bytes: 3 }, "ab")).toThrow(mismatch);
  expect(write({ kind: "length", bytes: 3 }, "ab", "cd")).toThrow(mismatch);
  expect(write(NO_CONTENT, "a")).toThrow(mismatch);
});

test("trailers that may not be are not written", () => {
  const write = (name: string, value: string) => () =>
    written((writer) => {
      writer.writeHead(post(CHUNKED));
      writer.writeEnd([field(name, value)]);
    });
  expect(write("Content-Length", "3")).toThrow(expect.objectContaining({ reason: "forbidden-trailer" }));
  expect(write("X", "a\r\n\r\n")).toThrow(expect.objectContaining({ reason: "bad-field-value" }));
});

test("a head inside of a message, and content without a head, are refused", () => {
  const disorder = expect.objectContaining({ reason: "bad-order" });
  const writer = new RequestWriter(() => {});
  expect(() => writer.writeData(bytesOf("a"))).toThrow(disorder);
  expect(() => writer.writeEnd()).toThrow(disorder);
  writer.writeHead(post(CHUNKED));
  expect(writer.isIdle).toBe(false);
  expect(() => writer.writeHead(post(CHUNKED))).toThrow(disorder);
  writer.writeEnd();
  expect(writer.isIdle).toBe(true);
});

/** What has to arrive: everything but the fields of the connection and the form. */
const messages = (recorded: readonly Recorded[]): readonly unknown[] =>
  recorded.map((each) => {
    if (each.kind !== "request") return each;
    const { method, parsedTarget: target, authority, framing, fields } = each.head;
    const path = target.kind === "origin" || target.kind === "absolute" ? target.path : target.kind;
    const ownFields = /^(?:host|connection|upgrade|http2-settings|te|content-length|transfer-encoding)$/i;
    return { method, path, host: authority?.host, framing, fields: fields.filter(({ name }) => !ownFields.test(name)) };
  });
