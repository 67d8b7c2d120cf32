import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Framing } from "./framing.ts";
import type { RebuildReason } from "./head.ts";
import type { Http1Reason } from "./http1-error.ts";
import type { AwaitedResponse } from "./parse-response-head.ts";
import { ResponseReader } from "./response-reader.ts";
import { bytesOf, cut, cutEverywhere, type Recorded, recordResponse } from "./testing/record.ts";

const response = (line: string, ...fields: readonly string[]): string =>
  [`HTTP/1.1 ${line}`, ...fields, "", ""].join("\r\n");
const to = (method: string, ...upgrade: readonly string[]): AwaitedResponse => ({ method, upgrade });
const GET = to("GET");
const whole = (text: string, awaited = GET, closes = true): readonly Recorded[] =>
  recordResponse([bytesOf(text)], { awaited, closes });
const contentOf = (recorded: readonly Recorded[]): string =>
  recorded.map((each) => (each.kind === "data" ? each.text : "")).join("");

type Accepted = readonly [
  title: string,
  awaited: AwaitedResponse,
  bytes: string,
  framing: Framing["kind"],
  rebuild: RebuildReason | "as is",
  isPersistent: boolean,
  content: string,
];

const ACCEPTED: readonly Accepted[] = [
  ["Content-Length", GET, response("200 OK", "Content-Length: 3") + "abc", "length", "as is", true, "abc"],
  ["no content", GET, response("200 OK", "Content-Length: 0"), "length", "as is", true, ""],
  [
    "chunked",
    GET,
    response("200 OK", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\nX: a\r\n\r\n",
    "chunked",
    "as is",
    true,
    "abc",
  ],
  [
    "until the close (RFC 9112 section 6.3)",
    GET,
    response("200 OK") + "abc",
    "until-close",
    "until-close",
    false,
    "abc",
  ],
  [
    "Connection: close",
    GET,
    response("200 OK", "Connection: close", "Content-Length: 3") + "abc",
    "length",
    "hop-by-hop",
    false,
    "abc",
  ],
  [
    "Keep-Alive",
    GET,
    response("200 OK", "Keep-Alive: timeout=5", "Content-Length: 0"),
    "length",
    "hop-by-hop",
    true,
    "",
  ],
  ["HTTP/1.0", GET, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", "length", "version", false, "abc"],
  ["no reason", GET, response("204 "), "none", "as is", true, ""],
  ["no space for the reason", GET, response("204"), "none", "reason-phrase", true, ""],
  ["a reason in latin1", GET, response("404 Not\tf\xf6und", "Content-Length: 0"), "length", "as is", true, ""],
  ["names with underscore", GET, response("204 No", "x_a: b"), "none", "as is", true, ""],
  ["Content-Length 03", GET, response("200 OK", "Content-Length: 03") + "abc", "length", "content-length", true, "abc"],
  [
    "Chunked in capitals",
    GET,
    response("200 OK", "Transfer-Encoding: Chunked") + "0\r\n\r\n",
    "chunked",
    "transfer-encoding",
    true,
    "",
  ],
  ["H1-28 HEAD with length", to("HEAD"), response("200 OK", "Content-Length: 3"), "none", "as is", true, ""],
  [
    "H1-28 HEAD with length 03",
    to("HEAD"),
    response("200 OK", "Content-Length: 03"),
    "none",
    "content-length",
    true,
    "",
  ],
  [
    "H1-28 HEAD chunked",
    to("HEAD"),
    response("200 OK", "Transfer-Encoding: chunked"),
    "none",
    "transfer-encoding",
    true,
    "",
  ],
  ["H1-28 HEAD without length", to("HEAD"), response("200 OK"), "none", "as is", true, ""],
  ["H1-28 304 with length", GET, response("304 Not Modified", "Content-Length: 3"), "none", "as is", true, ""],
  ["H1-28 204 with length 0", GET, response("204 No Content", "Content-Length: 0"), "none", "content-length", true, ""],
  [
    "H1-28 204 that announces content",
    GET,
    response("204 No Content", "Content-Length: 3"),
    "none",
    "content-length",
    false,
    "",
  ],
  [
    "H1-28 204 that is chunked",
    GET,
    response("204 No Content", "Transfer-Encoding: chunked"),
    "none",
    "transfer-encoding",
    false,
    "",
  ],
  [
    "H1-30 200 to an upgrade is no tunnel",
    to("GET", "websocket"),
    response("200 OK", "Content-Length: 3") + "abc",
    "length",
    "as is",
    true,
    "abc",
  ],
  [
    "101 as asked",
    to("GET", "WebSocket"),
    response("101 Switching", "Connection: upgrade", "Upgrade: websocket"),
    "tunnel",
    "hop-by-hop",
    true,
    "",
  ],
  ["2xx to CONNECT", to("CONNECT"), response("200 OK"), "tunnel", "as is", true, ""],
  [
    "2xx to CONNECT ignores framing (RFC 9110 section 9.3.6)",
    to("CONNECT"),
    response("200 OK", "Content-Length: 3"),
    "tunnel",
    "content-length",
    true,
    "",
  ],
  ["403 to CONNECT", to("CONNECT"), response("403 No", "Content-Length: 3") + "abc", "length", "as is", true, "abc"],
];

const REJECTED: readonly (readonly [title: string, awaited: AwaitedResponse, bytes: string, reason: Http1Reason])[] = [
  ["H1-28 content after HEAD", to("HEAD"), response("200 OK", "Content-Length: 3") + "abc", "unsolicited-response"],
  ["H1-28 content after 204", GET, response("204 No Content") + "abc", "unsolicited-response"],
  [
    "H1-28 content after 204 with a length",
    GET,
    response("204 No Content", "Content-Length: 3") + "abc",
    "bytes-after-last-message",
  ],
  ["H1-28 content after 304", GET, response("304 Not Modified", "Content-Length: 3") + "abc", "unsolicited-response"],
  [
    "H1-29 length and chunked",
    GET,
    response("200 OK", "Content-Length: 3", "Transfer-Encoding: chunked"),
    "length-and-transfer-encoding",
  ],
  ["H1-29 two lengths", GET, response("200 OK", "Content-Length: 3", "Content-Length: 3"), "repeated-content-length"],
  ["H1-29 bad chunk", GET, response("200 OK", "Transfer-Encoding: chunked") + "x\r\n", "bad-chunk"],
  ["H1-29 gzip, chunked", GET, response("200 OK", "Transfer-Encoding: gzip, chunked"), "unsupported-transfer-coding"],
  ["H1-29 bad length on HEAD", to("HEAD"), response("200 OK", "Content-Length: x"), "bad-content-length"],
  ["H1-29 head over the limit", GET, response("200 OK", `X: ${"x".repeat(33_000)}`), "head-too-large"],
  [
    "H1-29 fields over the limit",
    GET,
    response("200 OK", ...Array.from({ length: 101 }, () => "X: a")),
    "too-many-fields",
  ],
  ["H1-29 status line over the limit", GET, response(`200 ${"x".repeat(9000)}`), "start-line-too-long"],
  [
    "H1-29 chunked HTTP/1.0",
    GET,
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "transfer-encoding-on-http10",
  ],
  ...["2000 OK", "20 OK", "099 OK", "600 OK", "2x0 OK", " 200 OK", "200\tOK", ""].map(
    (line) => [`H1-29 status line ${JSON.stringify(line)}`, GET, response(line), "bad-status-line"] as const,
  ),
  ["H1-29 version", GET, "HTTP/1.2 200 OK\r\n\r\n", "bad-version"],
  ["H1-29 no HTTP", GET, "hello\r\n\r\n", "bad-version"],
  ["H1-29 an empty line first", GET, `\r\n${response("200 OK")}`, "bad-version"],
  ["H1-29 HTTP/2", GET, "HTTP/2.0 200 OK\r\n\r\n", "unsupported-version"],
  ["H1-29 folded field", GET, response("200 OK", "X: a", " b"), "bad-field-line"],
  ["H1-29 bare LF", GET, "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "bad-line-end"],
  ["H1-29 HTTP/2 frames", GET, "\0\0\x12\x04\0\0\0\0\0", "control-character"],
  [
    "H1-29 forbidden trailer",
    GET,
    response("200 OK", "Transfer-Encoding: chunked") + "0\r\nContent-Length: 1\r\n\r\n",
    "forbidden-trailer",
  ],
  ["H1-29 a storm of 1xx", GET, response("103 Early").repeat(1000), "too-many-informational-responses"],
  ["H1-29 1xx that announces content", GET, response("103 Early", "Content-Length: 3"), "content-not-allowed"],
  ["H1-29 1xx that is chunked", GET, response("100 Continue", "Transfer-Encoding: chunked"), "content-not-allowed"],
  [
    "H1-29 101 not asked for",
    GET,
    response("101 Switching", "Connection: upgrade", "Upgrade: websocket"),
    "unasked-switch",
  ],
  [
    "H1-29 101 to another protocol",
    to("GET", "websocket"),
    response("101 Switching", "Upgrade: h2c"),
    "unasked-switch",
  ],
  ["H1-29 101 to nothing", to("GET", "websocket"), response("101 Switching"), "unasked-switch"],
  ["H1-32 two answers to one request", GET, response("204 No").repeat(2), "unsolicited-response"],
  ["bytes after Connection: close", GET, response("204 No", "Connection: close") + "H", "bytes-after-last-message"],
  ["cut short: nothing", GET, "", "truncated"],
  ["cut short: in the head", GET, "HTTP/1.1 200", "truncated"],
  ["cut short: after 1xx", GET, response("100 Continue"), "truncated"],
  ["H1-23 cut short: in content of known length", GET, response("200 OK", "Content-Length: 3") + "ab", "truncated"],
  ["H1-23 cut short: in chunks", GET, response("200 OK", "Transfer-Encoding: chunked") + "3\r\nabc\r\n", "truncated"],
];

test.each(ACCEPTED)("%s", (_, awaited, bytes, framing, rebuild, isPersistent, content) => {
  const recorded = whole(bytes, awaited);
  expect(recorded.find(({ kind }) => kind === "error")).toBeUndefined();
  const [first] = recorded;
  expect(first).toMatchObject({ kind: "response", head: { framing: { kind: framing }, isPersistent } });
  expect(first?.kind === "response" && (first.head.rebuild ?? "as is")).toBe(rebuild);
  expect(contentOf(recorded)).toBe(content);
  expect(recorded.filter(({ kind }) => kind === "end")).toHaveLength(framing === "tunnel" ? 0 : 1);
});

test.each(REJECTED)("%s", (_, awaited, bytes, reason) => {
  expect(whole(bytes, awaited).at(-1)).toMatchObject({ kind: "error", reason, status: 502 });
});

test("the same in any pieces", () => {
  const all = [...ACCEPTED, ...REJECTED].map(([, awaited, bytes]) => ({ awaited, bytes }));
  for (const { awaited, bytes } of all.filter(({ bytes }) => bytes.length < 300)) {
    const expected = whole(bytes, awaited);
    for (let at = 1; at < bytes.length; at += 1)
      expect(recordResponse(cut(bytes, [at]), { awaited, closes: true })).toEqual(expected);
    expect(recordResponse(cutEverywhere(bytes), { awaited, closes: true })).toEqual(expected);
  }
  const pieces = fc
    .constantFrom(...all)
    .chain((one) => fc.tuple(fc.constant(one), fc.array(fc.nat({ max: one.bytes.length }), { maxLength: 9 })));
  fc.assert(
    fc.property(pieces, ([{ awaited, bytes }, at]) => {
      expect(recordResponse(cut(bytes, at), { awaited, closes: true })).toEqual(whole(bytes, awaited));
    }),
    { numRuns: 300 },
  );
});

test("informational responses come before the answer, each by itself", () => {
  const text =
    response("100 Continue") + response("103 Early Hints", "Link: </a>") + response("200 OK", "Content-Length: 0");
  const recorded = whole(text);
  expect(recorded.map(({ kind }) => kind)).toEqual(["informational", "informational", "response", "end"]);
  expect(recorded.map((each) => ("head" in each && "status" in each.head ? each.head.status : 0))).toEqual([
    100, 103, 200, 0,
  ]);
});

test.each([
  [to("GET", "websocket"), response("101 Switching", "Upgrade: websocket", "Connection: upgrade")],
  [to("CONNECT"), response("200 OK", "Content-Length: 3")],
])("what follows the head of a tunnel is left to the caller, however it is cut", (awaited, head) => {
  const text = `${head}HTTP/1.1 200 OK\r\n\r\n`;
  for (let at = 1; at < text.length; at += 1)
    expect(recordResponse(cut(text, [at]), { awaited }).slice(1)).toEqual([
      { kind: "rest", text: text.slice(head.length) },
    ]);
});

describe("a connection in a pool", () => {
  const reader = () => {
    const heads: number[] = [];
    const made = new ResponseReader({
      onInformational: () => {},
      onHead: ({ status }) => heads.push(status),
      onData: () => {},
      onEnd: () => {},
    });
    return { made, heads };
  };

  test("answers one request after the other", () => {
    const { made, heads } = reader();
    for (const status of [200, 404]) {
      expect(made.isIdle).toBe(true);
      made.await(GET);
      expect(made.isIdle).toBe(false);
      made.read(bytesOf(response(`${status} X`, "Content-Length: 0")));
    }
    expect(heads).toEqual([200, 404]);
  });

  test("is not used again after an answer that was the last", () => {
    const { made } = reader();
    made.await(GET);
    made.read(bytesOf(response("200 OK", "Connection: close", "Content-Length: 0")));
    expect(made.isIdle).toBe(false);
    expect(() => made.await(GET)).toThrow("cannot happen in state last");
  });

  test("is thrown away when it speaks unasked (H1-32)", () => {
    const { made, heads } = reader();
    expect(() => made.read(bytesOf(response("200 OK")))).toThrow("asked for nothing");
    expect(heads).toEqual([]);
    expect(made.isIdle).toBe(false);
  });

  test("may be closed by the server while it is idle", () => {
    const { made } = reader();
    expect(() => made.readEnd()).not.toThrow();
  });
});
