import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Field } from "../field.ts";
import { type ConnectionControl, encodeAdded, encodeRequestHead, encodeResponseHead } from "./encode-head.ts";
import { CHUNKED, type Framing, NO_CONTENT } from "./framing.ts";
import { field, type RequestHead, type ResponseHead } from "./head.ts";
import { isHopByHop } from "./hop-by-hop.ts";
import { STRICT_REQUEST_RULES } from "./request-rules.ts";
import { bytesOf, recordRequests, recordResponse, textOf } from "./testing/record.ts";

const HOST = field("Host", "a");
const length = (bytes: number): Framing => ({ kind: "length", bytes });
const request = (changes: Partial<RequestHead> = {}): RequestHead => ({
  method: "GET",
  target: "/",
  version: "1.1",
  fields: [HOST],
  framing: NO_CONTENT,
  ...changes,
});
const response = (changes: Partial<ResponseHead> = {}): ResponseHead => ({
  status: 200,
  reason: "OK",
  version: "1.1",
  fields: [],
  framing: length(0),
  ...changes,
});
const requestText = (changes?: Partial<RequestHead>, control?: ConnectionControl): string =>
  textOf(encodeRequestHead(request(changes), control));
const responseText = (changes?: Partial<ResponseHead>, control?: ConnectionControl): string =>
  textOf(encodeResponseHead(response(changes), control));

test("a request is written as HTTP/1.1, whatever its sender spoke (RFC 9110 section 2.5)", () => {
  expect(requestText({ version: "1.0", target: "/a?b" })).toBe("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n");
});

test("framing fields say the framing: in their place, or after the others", () => {
  const fields = [field("content-length", "03"), HOST];
  expect(requestText({ fields, framing: length(3) })).toBe("GET / HTTP/1.1\r\ncontent-length: 3\r\nHost: a\r\n\r\n");
  expect(requestText({ framing: length(3) })).toBe("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
  expect(requestText({ fields, framing: CHUNKED })).toBe(
    "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  const twice = [HOST, field("Content-Length", "1"), field("content-length", "2")];
  expect(requestText({ fields: twice, framing: length(3) })).toBe(
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
  );
  expect(requestText({ fields })).toBe("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
});

test("a length of content that is not sent is kept for HEAD and 304, and left out of 204 and 1xx", () => {
  const fields = [field("Content-Length", "03")];
  const text = (status: number) => responseText({ status, reason: "", fields, framing: NO_CONTENT });
  expect(text(200)).toBe("HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n");
  expect(text(304)).toBe("HTTP/1.1 304 \r\nContent-Length: 3\r\n\r\n");
  expect(text(204)).toBe("HTTP/1.1 204 \r\n\r\n");
  expect(text(103)).toBe("HTTP/1.1 103 \r\n\r\n");
});

test.each<[ConnectionControl, string]>([
  [{ kind: "default" }, ""],
  [{ kind: "close" }, "Connection: close\r\n"],
  [{ kind: "keep-alive" }, "Connection: keep-alive\r\n"],
  [{ kind: "upgrade", protocols: ["websocket", "foo/2"] }, "Connection: upgrade\r\nUpgrade: websocket, foo/2\r\n"],
])("connection control %j", (control, lines) => {
  expect(requestText({}, control)).toBe(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
});

test("TE goes with its connection option (RFC 9110 section 10.1.4)", () => {
  expect(requestText({ fields: [HOST, field("TE", "trailers")] }, { kind: "close" })).toContain(
    "Connection: close, TE\r\n",
  );
});

describe("what would be read as something else is not written (H2-40)", () => {
  test.each<[string, Partial<RequestHead>, string]>([
    ["no method", { method: "" }, "bad-method"],
    ["space in the method", { method: "GET /x" }, "bad-method"],
    ["line end in the method", { method: "GET\r\n" }, "bad-method"],
    ["no target", { target: "" }, "bad-target"],
    ["space in the target", { target: "/ HTTP/1.1" }, "bad-target"],
    ["line end in the target", { target: "/\r\n" }, "bad-target"],
    ["fragment", { target: "/#a" }, "bad-target"],
    ["beyond latin1 in the target", { target: "/\u010a" }, "bad-target"],
    ["no Host", { fields: [] }, "missing-host"],
    ["two Hosts", { fields: [HOST, field("host", "b")] }, "repeated-host"],
    ["empty name", { fields: [HOST, field("", "a")] }, "bad-field-name"],
    ["colon in a name", { fields: [HOST, field("a:", "a")] }, "bad-field-name"],
    ["space in a name", { fields: [HOST, field("a ", "a")] }, "bad-field-name"],
    ["pseudo-header", { fields: [HOST, field(":path", "/")] }, "bad-field-name"],
    ["line end in a value", { fields: [HOST, field("a", "b\r\nc: d")] }, "bad-field-value"],
    ["CR in a value", { fields: [HOST, field("a", "b\r")] }, "bad-field-value"],
    ["NUL in a value", { fields: [HOST, field("a", "b\0")] }, "bad-field-value"],
    ["blank before a value", { fields: [HOST, field("a", " b")] }, "bad-field-value"],
    ["blank after a value", { fields: [HOST, field("a", "b\t")] }, "bad-field-value"],
    ["U+010A in a value, which is cut to LF", { fields: [HOST, field("a", "b\u010ac: d")] }, "bad-field-value"],
    ["U+0141 in a name, which is cut to A", { fields: [HOST, field("\u0141", "b")] }, "bad-field-value"],
    ["Transfer-Encoding", { fields: [HOST, field("transfer-encoding", "chunked")] }, "hop-by-hop-field"],
    ["Connection", { fields: [HOST, field("Connection", "close")] }, "hop-by-hop-field"],
    ["Upgrade", { fields: [HOST, field("Upgrade", "h2c")] }, "hop-by-hop-field"],
    ["until-close", { framing: { kind: "until-close" } }, "bad-order"],
  ])("%s", (_, changes, reason) => {
    expect(() => requestText(changes)).toThrow(expect.objectContaining({ name: "Http1Error", reason }));
  });

  test.each<[string, Partial<ResponseHead>, string]>([
    ["status 99", { status: 99 }, "bad-status-line"],
    ["status 600", { status: 600 }, "bad-status-line"],
    ["status 200.5", { status: 200.5 }, "bad-status-line"],
    ["line end in the reason", { reason: "a\r\nb: c" }, "bad-status-line"],
    ["beyond latin1 in the reason", { reason: "\u010a" }, "bad-status-line"],
    ["line end in a value", { fields: [field("a", "b\n")] }, "bad-field-value"],
  ])("%s", (_, changes, reason) => {
    expect(() => responseText(changes)).toThrow(expect.objectContaining({ name: "Http1Error", reason }));
  });

  test("an upgrade to nothing", () => {
    expect(() => requestText({}, { kind: "upgrade", protocols: [] })).toThrow("names no protocol");
    expect(() => requestText({}, { kind: "upgrade", protocols: ["a\r\nb"] })).toThrow("names no protocol");
  });
});

describe("fields added to a head as it came", () => {
  test("stand before the empty line", () => {
    expect(textOf(encodeAdded([field("X-A", "b"), field("X-C", "")]))).toBe("X-A: b\r\nX-C: \r\n\r\n");
  });

  test.each(["Content-Length", "Transfer-Encoding", "Connection"])("never change its framing: %s", (name) => {
    expect(() => encodeAdded([field(name, "1")])).toThrow("written by the codec alone");
  });

  test("are checked", () => {
    expect(() => encodeAdded([field("a", "b\r\n\r\n")])).toThrow("cannot stand in a line");
  });
});

describe("what is written is read again", () => {
  const latin1 = fc.stringMatching(/^[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]{0,20}[!-~\u0080-\u00ff])?$/);
  const ours = new Set(["host", "content-length", "expect", "te"]);
  const name = fc
    .stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,17}$/)
    .filter((text) => !ours.has(text.toLowerCase()) && !isHopByHop(text));
  const fields: fc.Arbitrary<readonly Field[]> = fc.array(
    fc.tuple(name, fc.oneof(latin1, fc.constant(""))).map(([name, value]) => field(name, value)),
    { maxLength: 20 },
  );
  const rules = { ...STRICT_REQUEST_RULES, underscores: "accept" } as const;

  test("requests", () => {
    const target = fc.stringMatching(/^\/[!$&-~"]{0,30}$/);
    const framing = fc.oneof(fc.constant(NO_CONTENT), fc.constant(CHUNKED), fc.nat({ max: 9 }).map(length));
    const method = fc.constantFrom("GET", "POST", "OPTIONS", "PROPFIND");
    fc.assert(
      fc.property(fc.record({ method, target, fields, framing }), (one) => {
        const written = request({ ...one, fields: [HOST, ...one.fields] });
        const [read] = recordRequests([encodeRequestHead(written)], { rules });
        if (read?.kind !== "request") throw new Error(JSON.stringify(read));
        const { method, target, version, framing } = read.head;
        const endToEnd = read.head.fields.filter(({ name }) => !/^(?:content-length|transfer-encoding)$/i.test(name));
        expect({ method, target, version, fields: endToEnd, framing }).toEqual(written);
        expect(read.head.rebuild).toBeUndefined();
        expect(bytesOf(read.raw)).toEqual(Buffer.from(encodeRequestHead(written)));
      }),
    );
  });

  test("responses", () => {
    const status = fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304);
    const framing = fc.oneof(fc.constant(CHUNKED), fc.nat({ max: 9 }).map(length));
    fc.assert(
      fc.property(fc.record({ status, reason: fc.oneof(latin1, fc.constant("")), fields, framing }), (one) => {
        const written = response(one);
        const [read] = recordResponse([encodeResponseHead(written)]);
        if (read?.kind !== "response") throw new Error(JSON.stringify(read));
        const { status, reason, version, framing } = read.head;
        const endToEnd = read.head.fields.filter(({ name }) => !/^(?:content-length|transfer-encoding)$/i.test(name));
        expect({ status, reason, version, fields: endToEnd, framing }).toEqual(written);
        expect(read.head.rebuild).toBeUndefined();
      }),
    );
  });
});
