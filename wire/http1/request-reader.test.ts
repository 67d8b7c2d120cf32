import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DEFAULT_HTTP1_LIMITS } from "./http1-limits.ts";
import { RequestReader } from "./request-reader.ts";
import { STRICT_REQUEST_RULES } from "./request-rules.ts";
import { bytesOf, cut, cutEverywhere, type Recorded, type RequestOptions, recordRequests } from "./testing/record.ts";
import { REQUEST_CASES } from "./testing/request-cases.ts";

const whole = (text: string, options?: RequestOptions): readonly Recorded[] => recordRequests([bytesOf(text)], options);
const heads = (text: string, options?: RequestOptions) =>
  whole(text, options).flatMap((each) => (each.kind === "request" ? [each.head] : []));
const errorOf = (recorded: readonly Recorded[]) => recorded.find((each) => each.kind === "error");

describe("the table of cases", () => {
  test.each(REQUEST_CASES)("$id ($source)", ({ bytes, expected }) => {
    const recorded = whole(bytes);
    const error = errorOf(recorded);
    if ("reject" in expected) {
      expect(error).toMatchObject({ reason: expected.reject, status: expected.status });
      expect(recorded.at(-1)).toBe(error);
      return;
    }
    expect(error).toBeUndefined();
    const requests = recorded.filter((each) => each.kind === "request");
    expect(requests).toHaveLength(expected.messages ?? 1);
    expect(recorded.filter((each) => each.kind === "end")).toHaveLength(requests.length);
    expect(requests[0]?.head.rebuild ?? "as is").toBe(expected.accept);
    expect(recorded.map((each) => (each.kind === "data" ? each.text : "")).join("")).toBe(expected.content);
  });

  test("an id stands once", () => {
    expect(new Set(REQUEST_CASES.map(({ id }) => id)).size).toBe(REQUEST_CASES.length);
  });
});

describe("however the bytes are cut (H1-65)", () => {
  const short = REQUEST_CASES.filter(({ bytes }) => bytes.length < 600);

  test.each(short)("$id is the same in two pieces and byte by byte", ({ bytes }) => {
    const expected = whole(bytes);
    for (let at = 1; at < bytes.length; at += 1) expect(recordRequests(cut(bytes, [at]))).toEqual(expected);
    expect(recordRequests(cutEverywhere(bytes))).toEqual(expected);
  });

  test("every case is the same in any pieces", () => {
    const pieces = fc
      .constantFrom(...REQUEST_CASES)
      .chain(({ bytes }) => fc.tuple(fc.constant(bytes), fc.array(fc.nat({ max: bytes.length }), { maxLength: 12 })));
    fc.assert(
      fc.property(pieces, ([bytes, at]) => {
        expect(recordRequests(cut(bytes, at))).toEqual(whole(bytes));
      }),
      { numRuns: 500 },
    );
  });

  test("any bytes at all are the same in any pieces", () => {
    const word = fc.constantFrom(
      ..."GET |POST |/| HTTP/1.1|\r\n|\r|\n|Host: a|Content-Length: 3|Transfer-Encoding: chunked|: |0|3|;|abc|\r\n\r\n|\0|\t".split(
        "|",
      ),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), fc.array(fc.nat({ max: 200 }), { maxLength: 8 }), (words, at) => {
        const text = words.join("");
        expect(recordRequests(cut(text, at), { closes: true })).toEqual(whole(text, { closes: true }));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("what a head says", () => {
  test("order, case and bytes of fields are kept, and so are fields with the names of object members (H1-57)", () => {
    const head = "GET /a HTTP/1.1\r\nhOsT: A.\r\nX-B: \xff\r\n__proto__: 1\r\nx-b: 2\r\n\r\n";
    const rules = { ...STRICT_REQUEST_RULES, underscores: "accept" } as const;
    const [request] = whole(head, { rules });
    expect(request).toMatchObject({
      kind: "request",
      raw: head,
      head: {
        method: "GET",
        target: "/a",
        version: "1.1",
        authority: { host: "a", port: undefined },
        framing: { kind: "none" },
        isPersistent: true,
        upgrade: [],
        expectsContinue: false,
      },
    });
    const names = heads(head, { rules })[0]?.fields.map(({ name, value }) => `${name}=${value}`);
    expect(names).toEqual(["hOsT=A.", "X-B=\xff", "__proto__=1", "x-b=2"]);
  });

  test.each([
    ["HTTP/1.1", [], true],
    ["HTTP/1.1", ["Connection: close"], false],
    ["HTTP/1.1", ["Connection: keep-alive", "Connection: Close"], false],
    ["HTTP/1.0", [], false],
    ["HTTP/1.0", ["Connection: Keep-Alive"], true],
    ["HTTP/1.0", ["Connection: keep-alive, close"], false],
  ])("%s with %j is persistent: %s", (version, fields, isPersistent) => {
    const [head] = heads(["GET / " + version, "Host: a", ...fields, "", ""].join("\r\n"));
    expect(head?.isPersistent).toBe(isPersistent);
  });

  test.each([
    ["GET", ["Connection: upgrade", "Upgrade: websocket, h2c, foo/1"], ["websocket", "foo/1"]],
    ["GET", ["Upgrade: websocket"], []],
    ["POST", ["Connection: upgrade", "Upgrade: websocket", "Content-Length: 1"], []],
    ["POST", ["Connection: upgrade", "Upgrade: websocket", "Content-Length: 0"], ["websocket"]],
    ["POST", ["Connection: upgrade", "Upgrade: websocket", "Transfer-Encoding: chunked"], []],
    ["GET", ["Connection: upgrade", "Upgrade: H2C"], []],
  ])("%s with %j offers %j (H1-61, H1-62)", (method, fields, offered) => {
    const [head] = heads([`${method} / HTTP/1.1`, "Host: a", ...fields, "", ""].join("\r\n"));
    expect(head?.upgrade).toEqual(offered);
  });

  test("only a request of HTTP/1.1 with content waits for 100 (H1-60)", () => {
    const expects = (version: string, length: number) =>
      heads(`POST / ${version}\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: ${length}\r\n\r\n`)[0]
        ?.expectsContinue;
    expect([expects("HTTP/1.1", 3), expects("HTTP/1.1", 0), expects("HTTP/1.0", 3)]).toEqual([true, false, false]);
  });
});

describe("what a listener allows", () => {
  const rules = {
    ...STRICT_REQUEST_RULES,
    connect: "accept",
    hostlessHttp10: "accept",
    underscores: "accept",
  } as const;

  test("HTTP/1.0 without Host has no authority (H1-49)", () => {
    expect(heads("GET / HTTP/1.0\r\n\r\n", { rules })[0]?.authority).toBeUndefined();
    expect(errorOf(whole("GET / HTTP/1.1\r\n\r\n", { rules }))).toMatchObject({ reason: "missing-host" });
  });

  test("names with an underscore (H1-56)", () => {
    expect(heads("GET / HTTP/1.1\r\nHost: a\r\nx_user: b\r\n\r\n", { rules })).toHaveLength(1);
  });

  test("further methods (H1-47)", () => {
    const methods = new Set(["FOO"]);
    expect(heads("FOO / HTTP/1.1\r\nHost: a\r\n\r\n", { rules: { ...rules, methods } })).toHaveLength(1);
  });

  test.each([
    ["a:80", "a:80", undefined],
    ["a:80", "A", undefined],
    ["[::1]:80", "[0:0:0:0:0:0:0:1]:80", undefined],
    ["a:80", "b:80", "host-differs-from-target"],
    ["a:80", "a:81", "host-differs-from-target"],
    ["a", "a", "bad-target"],
    ["/", "a", "bad-target"],
    ["http://a:80/", "a", "bad-target"],
    ["u@a:80", "a", "bad-target"],
  ])("CONNECT %s with Host %s (H1-40): %s", (target, host, reason) => {
    expect(errorOf(whole(`CONNECT ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, { rules }))?.reason).toBe(reason);
  });

  test("CONNECT has no content", () => {
    const text = "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    expect(errorOf(whole(text, { rules }))).toMatchObject({ reason: "content-not-allowed", status: 400 });
  });

  test.each([
    ["CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"],
  ])("nothing after %j is read as a request until the answer has declined", (offer) => {
    const next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    expect(whole(offer + next, { rules, answer: "switch" }).at(-1)).toEqual({ kind: "rest", text: next });
    expect(heads(offer + next, { rules, answer: "decline" }).map(({ target }) => target)[1]).toBe("/next");
    for (let at = 1; at < offer.length + next.length; at += 1)
      expect(recordRequests(cut(offer + next, [at]), { rules, answer: "switch" }).at(-1)).toEqual({
        kind: "rest",
        text: next,
      });
  });

  test("an offer declined on a connection that closes is the last request", () => {
    const text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: foo\r\n\r\nGET";
    expect(errorOf(whole(text, { rules }))).toMatchObject({ reason: "bytes-after-last-message" });
  });
});

describe("the end of the connection (H1-23)", () => {
  test.each([
    ["between requests", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", undefined],
    ["before the first", "", undefined],
    ["in a head", "GET / HTTP/1.1\r\nHo", "truncated"],
    ["in content of known length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", "truncated"],
    ["in a chunk", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "truncated"],
    [
      "before the last chunk",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      "truncated",
    ],
    ["in trailers", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n", "truncated"],
  ])("%s", (_, text, reason) => {
    const recorded = whole(text, { closes: true });
    expect(errorOf(recorded)?.reason).toBe(reason);
    if (reason !== undefined) expect(recorded.some(({ kind }) => kind === "end")).toBe(false);
  });
});

test("a reader that failed goes on failing with the same error", () => {
  const reader = new RequestReader({ onHead: () => {}, onData: () => {}, onEnd: () => {} });
  const failure = (text: string): unknown => {
    try {
      return reader.read(bytesOf(text));
    } catch (error) {
      return error;
    }
  };
  const first = failure("\0");
  expect(first).toBeInstanceOf(Error);
  expect(failure("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).toBe(first);
  expect(reader.isLast).toBe(true);
});

test("data are views on what came, and a head in one chunk is one too", () => {
  const chunk = bytesOf("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  const buffers: ArrayBufferLike[] = [];
  const reader = new RequestReader({
    onHead: (head) => buffers.push(head.raw.buffer),
    onData: (data) => buffers.push(data.buffer),
    onEnd: () => {},
  });
  reader.read(chunk);
  expect(buffers).toEqual([chunk.buffer, chunk.buffer]);
  expect(buffers.every((buffer) => buffer === chunk.buffer)).toBe(true);
});

test("limits are those that were given", () => {
  const limits = {
    ...DEFAULT_HTTP1_LIMITS,
    startLineBytes: 16,
    headBytes: 40,
    fields: 2,
    trailerBytes: 10,
    chunkExtensionBytes: 2,
    emptyLines: 0,
  };
  const reasonOf = (text: string) => errorOf(whole(text, { limits }))?.reason;
  expect(reasonOf("GET / HTTP/1.1\r\nHost: a\r\nX: 12345678\r\n\r\n")).toBeUndefined();
  expect(reasonOf("GET / HTTP/1.1\r\nHost: a\r\nX: 123456789\r\n\r\n")).toBe("head-too-large");
  expect(reasonOf("GET /a HTTP/1.1\r\n")).toBe("start-line-too-long");
  expect(reasonOf("GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY:\r\n")).toBe("too-many-fields");
  expect(reasonOf("\r\n")).toBe("too-many-empty-lines");
  const wide = { ...limits, headBytes: 100 };
  const chunkedReason = (content: string) =>
    errorOf(whole(`GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${content}`, { limits: wide }))
      ?.reason;
  expect(chunkedReason("0;a\r\nX: 123\r\n\r\n")).toBeUndefined();
  expect(chunkedReason("0;ab\r\n\r\n")).toBe("chunk-extensions-too-large");
  expect(chunkedReason("0\r\nX: 1234\r\n\r\n")).toBe("trailers-too-large");
});
