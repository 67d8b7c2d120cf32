import { describe, expect, test } from "vitest";
import type { Field } from "#wire/field.ts";
import { encodeRequestHead, encodeResponseHead } from "#wire/http1/encode-head.ts";
import { field, type ReceivedRequestHead, type ReceivedResponseHead } from "#wire/http1/head.ts";
import { RequestReader } from "#wire/http1/request-reader.ts";
import { STRICT_REQUEST_RULES } from "#wire/http1/request-rules.ts";
import { ResponseReader } from "#wire/http1/response-reader.ts";
import { readRequestHead, readResponseHead } from "#wire/http2/message-rules.ts";
import {
  fromHttp1Request,
  fromHttp1Response,
  fromHttp2Request,
  fromHttp2Response,
  mayHaveX,
  toHttp1Request,
  toHttp1Response,
  toHttp1Trailers,
  toHttp2Request,
  toHttp2Response,
  toHttp2Trailers,
} from "./heads.ts";
import type { HeadChanges, HttpRequest, HttpResponse } from "./message.ts";

// What one version of HTTP says, as the other says it. Heads are read from bytes and written to bytes, as they are on the way.

const UNCHANGED: HeadChanges = { remove: new Set(), add: [] };

const requestOf1 = (...lines: readonly string[]): HttpRequest => {
  const heads: ReceivedRequestHead[] = [];
  const reader = new RequestReader(
    { onHead: (head) => heads.push(head), onData: () => undefined, onEnd: () => undefined },
    { ...STRICT_REQUEST_RULES, hostlessHttp10: "accept" },
  );
  reader.read(Buffer.from([...lines, "", ""].join("\r\n"), "latin1"));
  const [head] = heads;
  if (!head) throw new Error("no head");
  return fromHttp1Request(head);
};

const responseOf1 = (method: string, ...lines: readonly string[]): HttpResponse => {
  const heads: ReceivedResponseHead[] = [];
  const take = (head: ReceivedResponseHead): void => void heads.push(head);
  const reader = new ResponseReader({
    onInformational: take,
    onHead: take,
    onData: () => undefined,
    onEnd: () => undefined,
  });
  reader.await({ method, upgrade: ["websocket"] });
  reader.read(Buffer.from([...lines, "", ""].join("\r\n"), "latin1"));
  const [head] = heads;
  if (!head) throw new Error("no head");
  return fromHttp1Response(head);
};

const sectionOf = (text: readonly string[]): readonly Field[] =>
  text.map((line) => {
    const at = line.indexOf(": ");
    return field(line.slice(0, at), line.slice(at + 2));
  });
const REQUEST = [":method: POST", ":scheme: http", ":authority: web.shop", ":path: /a?b"];
const requestOf2 = (isEnd: boolean, ...lines: readonly string[]): HttpRequest => {
  const head = readRequestHead(sectionOf([...REQUEST, ...lines]), false);
  if ("malformed" in head) throw new Error(head.malformed);
  return fromHttp2Request(head, isEnd);
};
const responseOf2 = (isEnd: boolean, status: number, ...lines: readonly string[]): HttpResponse => {
  const head = readResponseHead(sectionOf([`:status: ${status}`, ...lines]));
  if ("malformed" in head) throw new Error(head.malformed);
  return fromHttp2Response(head, isEnd);
};

/** As it leaves in HTTP/1; without the empty line. */
const linesOf1 = (request: HttpRequest, changes = UNCHANGED): readonly string[] =>
  Buffer.from(encodeRequestHead(toHttp1Request(request, changes)))
    .toString("latin1")
    .trimEnd()
    .split("\r\n");
const answerLinesOf1 = (response: HttpResponse): readonly string[] =>
  Buffer.from(encodeResponseHead(toHttp1Response(response)))
    .toString("latin1")
    .trimEnd()
    .split("\r\n");
/** As it leaves in HTTP/2, which the other side must not find malformed. */
const linesOf2 = (request: HttpRequest, changes = UNCHANGED): readonly string[] => {
  const section = toHttp2Request(request, changes);
  expect(readRequestHead(section, false)).not.toHaveProperty("malformed");
  return section.map(({ name, value }) => `${name}: ${value}`);
};
const answerLinesOf2 = (response: HttpResponse): readonly string[] => {
  const section = toHttp2Response(response);
  if (response.status !== 101) expect(readResponseHead(section)).not.toHaveProperty("malformed");
  return section.map(({ name, value }) => `${name}: ${value}`);
};

const PSEUDO = (method = "GET", path = "/", authority = "web") => [
  `:method: ${method}`,
  ":scheme: http",
  `:authority: ${authority}`,
  `:path: ${path}`,
];

describe("requests from HTTP/1 to HTTP/2", () => {
  test.each<readonly [string, readonly string[], readonly string[]]>([
    [
      "Host is :authority, names are lower case",
      ["GET /p?q HTTP/1.1", "Host: Web:81", "X-A: B"],
      [...PSEUDO("GET", "/p?q", "Web:81"), "x-a: B"],
    ],
    [
      "an absolute target is its authority and path",
      ["GET http://web:81/p HTTP/1.1", "Host: web:81"],
      PSEUDO("GET", "/p", "web:81"),
    ],
    ["an absolute target without a path is /", ["GET http://web?q HTTP/1.1", "Host: web"], PSEUDO("GET", "/?q")],
    ["OPTIONS * stays", ["OPTIONS * HTTP/1.1", "Host: web"], PSEUDO("OPTIONS", "*")],
    [
      "OPTIONS of a whole server as an absolute target",
      ["OPTIONS http://web HTTP/1.1", "Host: web"],
      PSEUDO("OPTIONS", "*"),
    ],
    [
      "what concerns one connection alone is left out, what Connection names as well",
      [
        "GET / HTTP/1.1",
        "Host: web",
        "Connection: close, Hop",
        "Hop: 1",
        "Keep-Alive: timeout=1",
        "Proxy-Connection: x",
        "A: b",
      ],
      [...PSEUDO(), "a: b"],
    ],
    [
      "but not what others decide by",
      ["GET / HTTP/1.1", "Host: web", "Connection: authorization, x-role", "Authorization: a", "X-Role: b"],
      [...PSEUDO(), "authorization: a", "x-role: b"],
    ],
    [
      "of TE there is trailers",
      ["GET / HTTP/1.1", "Host: web", "Connection: TE", "TE: gzip, trailers;q=0.5"],
      PSEUDO(),
    ],
    [
      "of TE there is trailers, if it was",
      ["GET / HTTP/1.1", "Host: web", "Connection: TE", "TE: gzip, trailers"],
      [...PSEUDO(), "te: trailers"],
    ],
    ["cookies stay", ["GET / HTTP/1.1", "Host: web", "Cookie: a=b; c=d"], [...PSEUDO(), "cookie: a=b; c=d"]],
    [
      "a length is told",
      ["POST / HTTP/1.1", "Host: web", "Content-Length: 3"],
      [...PSEUDO("POST"), "content-length: 3"],
    ],
    ["chunked is how HTTP/2 is anyway", ["POST / HTTP/1.1", "Host: web", "Transfer-Encoding: chunked"], PSEUDO("POST")],
    [
      "an expectation of HTTP/1.0 is none",
      ["POST / HTTP/1.0", "Host: web", "Content-Length: 3", "Expect: 100-continue"],
      [...PSEUDO("POST"), "content-length: 3"],
    ],
    [
      "an offer to switch is left out",
      ["GET / HTTP/1.1", "Host: web", "Connection: Upgrade", "Upgrade: websocket"],
      PSEUDO(),
    ],
  ])("%s", (_, lines, expected) => expect(linesOf2(requestOf1(...lines))).toEqual(expected));

  test("whether content follows is known from the head", () => {
    const has = (...lines: readonly string[]) => requestOf1("POST / HTTP/1.1", "Host: a", ...lines).hasContent;
    expect([has(), has("Content-Length: 0"), has("Content-Length: 1"), has("Transfer-Encoding: chunked")]).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });
});

describe("requests from HTTP/2 to HTTP/1", () => {
  test.each<readonly [string, boolean, readonly string[], readonly string[]]>([
    ["crumbs of cookie are one", true, ["cookie: a=b", "x: 1", "cookie: c=d"], ["x: 1", "cookie: a=b; c=d"]],
    ["content without a length is chunked", false, [], ["Transfer-Encoding: chunked"]],
    ["a length is told", false, ["content-length: 3"], ["content-length: 3"]],
    ["no content has no framing", true, [], []],
    ["TE has its Connection", true, ["te: trailers"], ["te: trailers", "Connection: TE"]],
    ["Host stands once", true, ["host: web.shop"], []],
  ])("%s", (_, isEnd, lines, expected) => {
    expect(linesOf1(requestOf2(isEnd, ...lines))).toEqual(["POST /a?b HTTP/1.1", "Host: web.shop", ...expected]);
  });
});

test("from HTTP/2 to HTTP/2 a request is the same, with :authority where there was Host alone", () => {
  expect(linesOf2(requestOf2(true, "cookie: a", "cookie: b", "te: trailers"))).toEqual([
    ...REQUEST,
    "cookie: a",
    "cookie: b",
    "te: trailers",
  ]);
  const head = readRequestHead(sectionOf([":method: GET", ":scheme: http", ":path: /", "host: web"]), false);
  if ("malformed" in head) throw new Error(head.malformed);
  expect(linesOf2(fromHttp2Request(head, true))).toEqual(PSEUDO());
});

describe("requests from HTTP/1 to HTTP/1, where something is changed", () => {
  test.each<readonly [string, readonly string[], readonly string[]]>([
    [
      "an absolute target is in origin form",
      ["GET http://web/p HTTP/1.1", "Host: web"],
      ["GET /p HTTP/1.1", "Host: web"],
    ],
    [
      "fields keep their order, case and bytes",
      ["GET / HTTP/1.1", "host: web", "X-a: \xe9", "x-A: 2"],
      ["GET / HTTP/1.1", "Host: web", "X-a: \xe9", "x-A: 2"],
    ],
    [
      "HTTP/1.0 becomes our version",
      ["GET / HTTP/1.0", "Host: web", "Connection: keep-alive"],
      ["GET / HTTP/1.1", "Host: web"],
    ],
    [
      "chunked stays",
      ["POST / HTTP/1.1", "Host: web", "Transfer-Encoding: chunked"],
      ["POST / HTTP/1.1", "Host: web", "Transfer-Encoding: chunked"],
    ],
    [
      "a length stays",
      ["POST / HTTP/1.1", "Host: web", "Content-Length: 003"],
      ["POST / HTTP/1.1", "Host: web", "Content-Length: 3"],
    ],
  ])("%s", (_, lines, expected) => {
    const request = requestOf1(...lines);
    expect(linesOf1(request)).toEqual(expected);
    // As after a filter: the bytes are left behind.
    expect(linesOf1({ ...request, received: undefined })).toEqual(expected);
  });

  test("an expectation of HTTP/1.0 does not become one after a filter", () => {
    const request = requestOf1("POST / HTTP/1.0", "Host: web", "Expect: 100-continue", "Content-Length: 1");
    expect(linesOf1({ ...request, received: undefined })).toEqual([
      "POST / HTTP/1.1",
      "Host: web",
      "Content-Length: 1",
    ]);
  });

  test("what is taken out is gone in every case and number, what is added stands last", () => {
    const changes = { remove: new Set(["x-a"]), add: [field("x-a", "ours")] };
    const request = requestOf1("GET / HTTP/1.1", "Host: web", "X-A: 1", "x-a: 2", "B: c");
    expect(linesOf1(request, changes)).toEqual(["GET / HTTP/1.1", "Host: web", "B: c", "x-a: ours"]);
    expect(linesOf2(request, changes).slice(4)).toEqual(["b: c", "x-a: ours"]);
  });
});

describe("responses from HTTP/1 to HTTP/2", () => {
  test.each<readonly [string, string, readonly string[], readonly string[], boolean]>([
    [
      "the reason is left out, names are lower case",
      "GET",
      ["HTTP/1.1 200 Fine", "X-A: B", "Content-Length: 1"],
      ["x-a: B", "content-length: 1"],
      false,
    ],
    ["no content ends with the head", "GET", ["HTTP/1.1 200 OK", "Content-Length: 0"], ["content-length: 0"], true],
    [
      "an answer to HEAD tells the length and ends",
      "HEAD",
      ["HTTP/1.1 200 OK", "Content-Length: 5"],
      ["content-length: 5"],
      true,
    ],
    [
      "304 tells the length and ends",
      "GET",
      ["HTTP/1.1 304 Not Modified", "Content-Length: 5"],
      ["content-length: 5"],
      true,
    ],
    ["204 has no length, whatever it says", "GET", ["HTTP/1.1 204 No Content", "Content-Length: 5"], [], true],
    [
      "chunked is how HTTP/2 is anyway",
      "GET",
      ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: a"],
      ["trailer: a"],
      false,
    ],
    ["until the close as well", "GET", ["HTTP/1.0 200 OK"], [], false],
    [
      "what concerns one connection is left out",
      "GET",
      ["HTTP/1.1 200 OK", "Connection: close, a", "A: b", "Keep-Alive: timeout=5", "Content-Length: 1"],
      ["content-length: 1"],
      false,
    ],
    [
      "cookies stay apart",
      "GET",
      ["HTTP/1.1 200 OK", "Set-Cookie: a=b", "Set-Cookie: c=d", "Content-Length: 1"],
      ["set-cookie: a=b", "set-cookie: c=d", "content-length: 1"],
      false,
    ],
  ])("%s", (_, method, lines, expected, isEnd) => {
    const response = responseOf1(method, ...lines);
    expect(answerLinesOf2(response)).toEqual([`:status: ${response.status}`, ...expected]);
    expect(response.isEnd).toBe(isEnd);
  });
});

describe("responses from HTTP/2 to HTTP/1", () => {
  test.each<readonly [string, HttpResponse, readonly string[]]>([
    [
      "content without a length is chunked",
      responseOf2(false, 200, "a: b"),
      ["HTTP/1.1 200 OK", "a: b", "Transfer-Encoding: chunked"],
    ],
    ["a length is told", responseOf2(false, 200, "content-length: 3"), ["HTTP/1.1 200 OK", "content-length: 3"]],
    ["a status without a name", responseOf2(true, 599), ["HTTP/1.1 599"]],
  ])("%s", (_, response, expected) => expect(answerLinesOf1(response)).toEqual(expected));

  test("a status that HTTP/1 has not cannot be said", () => {
    expect(() => answerLinesOf1(responseOf2(true, 600))).toThrow("cannot stand in a status line");
  });
});

test("a 101 names the protocols that it switches to", () => {
  const response = responseOf1("GET", "HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket");
  expect([
    response.upgrade,
    toHttp1Response({ ...response, fields: response.fields, received: undefined }).framing.kind,
  ]).toEqual([["websocket"], "tunnel"]);
});

test.each([
  ["X-Heddle-Error: a", true],
  ["x_heddle_error: a", true],
  ["Server: x", false],
  ["ax: x", false],
])("whether a response may have fields of the mesh is known without them: %s", (line, expected) => {
  const response = responseOf1("GET", "HTTP/1.1 200 OK", "Content-Length: 0", line);
  expect(mayHaveX(response)).toBe(expected);
  expect(mayHaveX({ ...response, fields: [], received: undefined })).toBe(true);
});

describe("trailers", () => {
  test("to HTTP/1 leave out what it forbids there, and keep the rest", () => {
    const names = "grpc-status content-length host authorization cookie set-cookie te trailer http2-settings x-a".split(
      " ",
    );
    const trailers = names.map((name) => field(name, "1"));
    expect(toHttp1Trailers(trailers).map(({ name }) => name)).toEqual(["grpc-status", "x-a"]);
  });

  test("to HTTP/2 have lower-case names", () => {
    expect(toHttp2Trailers([field("X-Sum", "1")])).toEqual([field("x-sum", "1")]);
  });
});
