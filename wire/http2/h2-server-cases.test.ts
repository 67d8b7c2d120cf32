import { expect, test } from "vitest";
import { FLAG, FRAME_TYPE } from "./frame-header.ts";
import { type Case, CONNECT, goneWith, many } from "./testing/h2-case.ts";
import {
  data,
  GET,
  get,
  getWith,
  headers,
  type Pairs,
  ping,
  post,
  rawBlock,
  rawFrame,
  rst,
  settings,
  SETTINGS_ACK,
  windowUpdate,
} from "./testing/raw-frames.ts";
import { ScriptedPeer } from "./testing/scripted-peer.ts";
import { testLimits } from "./testing/test-limits.ts";

// The cases H2-xx that the codec decides, where it is the server. Floods are in flood-guard.test.ts; H2-20 to H2-23 in
// flow-control.test.ts; H2-44 and H2-45 in drain.test.ts; H2-06 in the transport's tests.

const MALFORMED = { calls: [], answer: ["RST_STREAM 1 code 1"] };
const TAKEN = ["request 1 GET shop /", "end 1"];

const request = (fields: Pairs): readonly Uint8Array[] => [headers(1, fields, true)];
const field = (name: string, value: string): readonly Uint8Array[] => [get(1, [[name, value]])];

const LONG = rawBlock([...GET, ["a", "b".repeat(17_000)]]);
const hpack = (...bytes: readonly number[]): readonly Uint8Array[] => [rawFrame(FRAME_TYPE.headers, 5, 1, bytes)];

const CASES: readonly Case[] = [
  {
    id: "H2-02",
    what: "WINDOW_UPDATE of 0 on a stream",
    rule: "6.9",
    sent: [post(1), windowUpdate(1, 0)],
    calls: ["request 1 POST shop /", "closed 1", "reset 1 1"],
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-02",
    what: "WINDOW_UPDATE of 0 on the connection",
    rule: "6.9",
    sent: [windowUpdate(0, 0)],
    ...goneWith(1),
  },
  {
    id: "H2-02",
    what: "PRIORITY of 4 bytes on an open stream",
    rule: "6.3",
    sent: [post(1), rawFrame(2, 0, 1, [0, 0, 0, 0])],
    answer: ["RST_STREAM 1 code 6"],
  },
  {
    id: "H2-02",
    what: "PRIORITY of 4 bytes on an idle stream, which cannot be reset",
    rule: "6.4",
    sent: [rawFrame(2, 0, 1, [0, 0, 0, 0])],
    ...goneWith(6),
  },
  {
    id: "H2-02",
    what: "DATA after END_STREAM",
    rule: "5.1",
    sent: [get(1), data(1, "x")],
    calls: [...TAKEN, "closed 1", "reset 1 5"],
    answer: ["RST_STREAM 1 code 5"],
  },
  { id: "H2-07", what: "index 0", rule: "RFC 7541 6.1", sent: hpack(0x80), ...goneWith(9) },
  { id: "H2-07", what: "an index beyond the tables", rule: "RFC 7541 2.3.3", sent: hpack(0xff, 0x20), ...goneWith(9) },
  {
    id: "H2-07",
    what: "Huffman padding with zeros",
    rule: "RFC 7541 5.2",
    sent: hpack(0x40, 0x81, 0x18, 0x00),
    ...goneWith(9),
  },
  {
    id: "H2-07",
    what: "an integer without end",
    rule: "RFC 7541 5.1",
    sent: hpack(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
    ...goneWith(9),
  },
  {
    id: "H2-07",
    what: "a table larger than allowed",
    rule: "RFC 7541 6.3",
    sent: hpack(0x3f, 0xe2, 0x1f),
    ...goneWith(9),
  },
  {
    id: "H2-07",
    what: "three table updates",
    rule: "RFC 7541 4.2",
    sent: hpack(0x20, 0x20, 0x20, 0x82),
    ...goneWith(9),
  },
  {
    id: "H2-10",
    what: "120 tiny fields",
    rule: "10.5.1",
    sent: [
      get(
        1,
        many(120, (index) => [`a${index}`, ""]),
      ),
    ],
    calls: [],
    answer: ["RST_STREAM 1 code 11"],
  },
  {
    id: "H2-11",
    what: "1000 crumbs of cookie",
    rule: "8.2.3",
    sent: [
      get(
        1,
        many(1000, () => ["cookie", "a=b"]),
      ),
    ],
    calls: [],
    answer: ["RST_STREAM 1 code 11"],
  },
  {
    id: "H2-12",
    what: "200 fields",
    rule: "10.5.1",
    sent: [
      get(
        1,
        many(200, () => ["x", "y"]),
      ),
    ],
    calls: [],
    answer: ["RST_STREAM 1 code 11"],
  },
  {
    id: "H2-12",
    what: "100 fields",
    rule: "10.5.1",
    sent: [
      get(
        1,
        many(96, () => ["x", "y"]),
      ),
    ],
    calls: TAKEN,
    answer: [],
  },
  {
    id: "H2-13",
    what: "a field of 17 KB in two frames",
    rule: "10.5.1",
    sent: [rawFrame(1, 1, 1, LONG.subarray(0, 16_000)), rawFrame(9, 4, 1, LONG.subarray(16_000))],
    calls: [],
    answer: ["RST_STREAM 1 code 11"],
  },
  {
    id: "H2-22",
    what: "a window over 2^31-1 on a stream",
    rule: "6.9.1",
    sent: [post(1), windowUpdate(1, 2 ** 31 - 1)],
    answer: ["RST_STREAM 1 code 3"],
  },
  {
    id: "H2-22",
    what: "a window over 2^31-1 on the connection",
    rule: "6.9.1",
    sent: [windowUpdate(0, 2 ** 31 - 1)],
    ...goneWith(3),
  },
  {
    id: "H2-22",
    what: "SETTINGS_INITIAL_WINDOW_SIZE over 2^31-1",
    rule: "6.5.2",
    sent: [settings([4, 2 ** 31])],
    ...goneWith(3),
  },
  {
    id: "H2-24",
    what: "a frame of 16385 bytes",
    rule: "4.2",
    sent: [rawFrame(0x20, 0, 0, new Uint8Array(16_385))],
    ...goneWith(6),
  },
  {
    id: "H2-24",
    what: "RST_STREAM of 3 bytes",
    rule: "6.4",
    sent: [post(1), rawFrame(3, 0, 1, [0, 0, 0])],
    ...goneWith(6, 1),
  },
  { id: "H2-24", what: "SETTINGS of 5 bytes", rule: "6.5", sent: [rawFrame(4, 0, 0, [0, 0, 0, 0, 0])], ...goneWith(6) },
  {
    id: "H2-24",
    what: "SETTINGS ACK with a payload",
    rule: "6.5",
    sent: [rawFrame(4, 1, 0, [0, 0, 0, 0, 0, 0])],
    ...goneWith(6),
  },
  {
    id: "H2-24",
    what: "PING of 7 bytes",
    rule: "6.7",
    sent: [rawFrame(6, 0, 0, [0, 0, 0, 0, 0, 0, 0])],
    ...goneWith(6),
  },
  {
    id: "H2-24",
    what: "GOAWAY of 7 bytes",
    rule: "6.8",
    sent: [rawFrame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0])],
    ...goneWith(6),
  },
  {
    id: "H2-24",
    what: "WINDOW_UPDATE of 5 bytes",
    rule: "6.9",
    sent: [rawFrame(8, 0, 0, [0, 0, 0, 0, 1])],
    ...goneWith(6),
  },
  { id: "H2-25", what: "an even stream of a client", rule: "5.1.1", sent: [get(2)], ...goneWith(1) },
  {
    id: "H2-25",
    what: "a lower stream than before, never used",
    rule: "5.1.1",
    sent: [get(5), get(3)],
    ...goneWith(1, 5),
  },
  { id: "H2-25", what: "DATA on an idle stream", rule: "5.1", sent: [data(1, "x")], ...goneWith(1) },
  { id: "H2-25", what: "RST_STREAM on an idle stream", rule: "5.1", sent: [rst(1)], ...goneWith(1) },
  { id: "H2-25", what: "WINDOW_UPDATE on an idle stream", rule: "5.1", sent: [windowUpdate(1, 1)], ...goneWith(1) },
  ...[FRAME_TYPE.data, FRAME_TYPE.headers, FRAME_TYPE.priority, FRAME_TYPE.rstStream].map((type) => ({
    id: "H2-25",
    what: `frame type ${type} on stream 0`,
    rule: "6",
    sent: [rawFrame(type, 4, 0, [0, 0, 0, 0])],
    ...goneWith(1),
  })),
  ...[FRAME_TYPE.settings, FRAME_TYPE.ping, FRAME_TYPE.goaway].map((type) => ({
    id: "H2-25",
    what: `frame type ${type} on a stream`,
    rule: "6",
    sent: [rawFrame(type, 0, 1, [0, 0, 0, 0, 0, 0, 0, 0])],
    ...goneWith(1),
  })),
  {
    id: "H2-26",
    what: "HEADERS on a stream that has ended for the peer",
    rule: "5.1",
    sent: [get(1), get(1)],
    calls: [...TAKEN, "closed 1", "reset 1 5"],
    answer: ["RST_STREAM 1 code 5"],
  },
  {
    id: "H2-26",
    what: "DATA after the peer's RST_STREAM",
    rule: "5.1",
    sent: [post(1), rst(1), data(1, "x")],
    calls: ["request 1 POST shop /", "closed 1", "reset 1 8"],
    answer: ["RST_STREAM 1 code 5"],
  },
  {
    id: "H2-26",
    what: "RST_STREAM and WINDOW_UPDATE after the end",
    rule: "5.1",
    sent: [post(1), rst(1), rst(1), windowUpdate(1, 1)],
    answer: [],
  },
  {
    id: "H2-27",
    what: "DATA and trailers for a stream that we reset",
    rule: "5.1",
    sent: [post(1), windowUpdate(1, 0), data(1, "late"), headers(1, [["x", "y"]], true)],
    calls: ["request 1 POST shop /", "closed 1", "reset 1 1"],
    answer: ["RST_STREAM 1 code 1"],
  },
  { id: "H2-28", what: "no :method", rule: "8.3.1", sent: request(getWith(":method", undefined)), ...MALFORMED },
  { id: "H2-28", what: "no :scheme", rule: "8.3.1", sent: request(getWith(":scheme", undefined)), ...MALFORMED },
  { id: "H2-28", what: "no :path", rule: "8.3.1", sent: request(getWith(":path", undefined)), ...MALFORMED },
  ...GET.map(([name, value]) => ({
    id: "H2-28",
    what: `${name} twice`,
    rule: "8.3.1",
    sent: request([[name, value], ...GET]),
    ...MALFORMED,
  })),
  { id: "H2-28", what: "an unknown pseudo-field", rule: "8.3", sent: request([...GET, [":x", "y"]]), ...MALFORMED },
  { id: "H2-28", what: "a pseudo-field after others", rule: "8.3", sent: request([["x", "y"], ...GET]), ...MALFORMED },
  {
    id: "H2-28",
    what: ":status in a request",
    rule: "8.3.1",
    sent: request([...GET, [":status", "200"]]),
    ...MALFORMED,
  },
  { id: "H2-29", what: "an upper-case name", rule: "8.2.1", sent: field("X-A", "b"), ...MALFORMED },
  ...["connection", "keep-alive", "upgrade", "proxy-connection", "transfer-encoding"].map((name) => ({
    id: "H2-30",
    what: name,
    rule: "8.2.2",
    sent: field(name, "x"),
    ...MALFORMED,
  })),
  { id: "H2-30", what: "te: gzip", rule: "8.2.2", sent: field("te", "gzip"), ...MALFORMED },
  { id: "H2-30", what: "te: trailers", rule: "8.2.2", sent: field("te", "trailers"), calls: TAKEN, answer: [] },
  ...["a\rb", "a\nb", "a\0b", " a", "a ", "\ta", "a\t", "a\x7fb"].map((value) => ({
    id: "H2-31",
    what: `a value ${JSON.stringify(value)}`,
    rule: "8.2.1",
    sent: field("x", value),
    ...MALFORMED,
  })),
  ...["a b", "a:b", "a\r\nb", "", "a\0", "\xe9"].map((name) => ({
    id: "H2-31",
    what: `a name ${JSON.stringify(name)}`,
    rule: "8.2.1",
    sent: field(name, "x"),
    ...MALFORMED,
  })),
  {
    id: "H2-31",
    what: "bytes above 0x7f in a value",
    rule: "8.2.1",
    sent: field("x", "\xe9\x80"),
    calls: TAKEN,
    answer: [],
  },
  { id: "H2-32", what: ":authority and host differ", rule: "8.3.1", sent: field("host", "bank"), ...MALFORMED },
  {
    id: "H2-32",
    what: ":authority and host are the same but for case",
    rule: "8.3.1",
    sent: field("host", "SHOP"),
    calls: TAKEN,
    answer: [],
  },
  {
    id: "H2-33",
    what: "only host",
    rule: "8.3.1",
    sent: request([...getWith(":authority", undefined), ["host", "shop"]]),
    calls: TAKEN,
    answer: [],
  },
  {
    id: "H2-33",
    what: "host twice",
    rule: "8.3.1",
    sent: request([...GET, ["host", "shop"], ["host", "shop"]]),
    ...MALFORMED,
  },
  {
    id: "H2-34",
    what: "neither :authority nor host",
    rule: "8.3.1",
    sent: request(getWith(":authority", undefined)),
    ...MALFORMED,
  },
  {
    id: "H2-35",
    what: "user information in :authority",
    rule: "8.3.1",
    sent: request(getWith(":authority", "me@shop")),
    ...MALFORMED,
  },
  ...["", "*", "foo", "http://shop/", "/a b", "/a\r\nb", "/a\0"].map((path) => ({
    id: "H2-36",
    what: `:path ${JSON.stringify(path)}`,
    rule: "8.3.1",
    sent: request(getWith(":path", path)),
    ...MALFORMED,
  })),
  {
    id: "H2-36",
    what: "* with OPTIONS",
    rule: "8.3.1",
    sent: request([
      [":method", "OPTIONS"],
      [":scheme", "http"],
      [":authority", "shop"],
      [":path", "*"],
    ]),
    calls: ["request 1 OPTIONS shop *", "end 1"],
    answer: [],
  },
  ...["/a#b", "/\xe9"].map((path) => ({
    id: "H2-37",
    what: `:path ${path}`,
    rule: "8.3.1",
    sent: request(getWith(":path", path)),
    ...MALFORMED,
  })),
  ...["//", "/%2e%2e"].map((path) => ({
    id: "H2-37",
    what: `:path ${path} is left to who routes`,
    rule: "8.3.1",
    sent: request(getWith(":path", path)),
    calls: [`request 1 GET shop ${path}`, "end 1"],
    answer: [],
  })),
  { id: "H2-38", what: ":scheme ftp", rule: "8.3.1", sent: request(getWith(":scheme", "ftp")), ...MALFORMED },
  {
    id: "H2-39",
    what: "a lower-case :method",
    rule: "RFC 9110 9.1",
    sent: request(getWith(":method", "get")),
    ...MALFORMED,
  },
  ...["GET /", "GET\r\nX: y", ""].map((method) => ({
    id: "H2-40",
    what: `:method ${JSON.stringify(method)}`,
    rule: "8.3.1",
    sent: request(getWith(":method", method)),
    ...MALFORMED,
  })),
  {
    id: "H2-41",
    what: "less DATA than content-length",
    rule: "8.1.1",
    sent: [post(1, [["content-length", "3"]]), data(1, "ab", true)],
    calls: ["request 1 POST shop /", "data 1 ab", "closed 1", "reset 1 1"],
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-41",
    what: "more DATA than content-length",
    rule: "8.1.1",
    sent: [post(1, [["content-length", "3"]]), data(1, "abcd", true)],
    calls: ["request 1 POST shop /", "closed 1", "reset 1 1"],
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-41",
    what: "less DATA than content-length before trailers",
    rule: "8.1.1",
    sent: [post(1, [["content-length", "3"]]), data(1, "ab"), headers(1, [["x", "y"]], true)],
    calls: ["request 1 POST shop /", "data 1 ab", "closed 1", "reset 1 1"],
    answer: ["RST_STREAM 1 code 1"],
  },
  { id: "H2-41", what: "content-length without DATA", rule: "8.1.1", sent: field("content-length", "3"), ...MALFORMED },
  {
    id: "H2-41",
    what: "as much DATA as content-length",
    rule: "8.1.1",
    sent: [post(1, [["content-length", "3"]]), data(1, "abc", true)],
    calls: ["request 1 POST shop /", "data 1 abc", "end 1"],
    answer: [],
  },
  {
    id: "H2-41",
    what: "content-length twice",
    rule: "RFC 9110 8.6",
    sent: [
      post(1, [
        ["content-length", "3"],
        ["content-length", "3"],
      ]),
    ],
    ...MALFORMED,
  },
  ...["+0", "-1", "0x3", "3, 3", "", "1e3"].map((value) => ({
    id: "H2-41",
    what: `content-length ${JSON.stringify(value)}`,
    rule: "RFC 9110 8.6",
    sent: [post(1, [["content-length", value]])],
    ...MALFORMED,
  })),
  {
    id: "H2-42",
    what: "CONNECT",
    rule: "8.5",
    sent: [headers(1, CONNECT), data(1, "x")],
    calls: ["request 1 CONNECT 10.0.0.1:80 undefined", "data 1 x"],
    answer: [],
  },
  {
    id: "H2-42",
    what: "CONNECT with :path",
    rule: "8.5",
    sent: [headers(1, [...CONNECT, [":path", "/"]])],
    ...MALFORMED,
  },
  {
    id: "H2-42",
    what: "CONNECT with :scheme",
    rule: "8.5",
    sent: [headers(1, [...CONNECT, [":scheme", "http"]])],
    ...MALFORMED,
  },
  {
    id: "H2-42",
    what: "CONNECT without :authority",
    rule: "8.5",
    sent: [
      headers(1, [
        [":method", "CONNECT"],
        ["host", "a:1"],
      ]),
    ],
    ...MALFORMED,
  },
  {
    id: "H2-42",
    what: "HEADERS within a tunnel",
    rule: "8.5",
    sent: [headers(1, CONNECT), headers(1, [["x", "y"]], true)],
    calls: ["request 1 CONNECT 10.0.0.1:80 undefined", "closed 1", "reset 1 1"],
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-42",
    what: "content-length, which is none of a tunnel",
    rule: "RFC 9110 9.3.6",
    sent: [headers(1, [...CONNECT, ["content-length", "1"]]), data(1, "xyz", true)],
    calls: ["request 1 CONNECT 10.0.0.1:80 undefined", "data 1 xyz", "end 1"],
    answer: [],
  },
  {
    id: "H2-42",
    what: "extended CONNECT",
    rule: "RFC 8441 4",
    sent: [headers(1, [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1)])],
    calls: ["request 1 CONNECT shop /"],
    answer: [],
  },
  {
    id: "H2-42",
    what: "extended CONNECT without :path",
    rule: "RFC 8441 4",
    sent: [
      headers(1, [
        [":method", "CONNECT"],
        [":protocol", "websocket"],
        [":scheme", "http"],
        [":authority", "shop"],
      ]),
    ],
    ...MALFORMED,
  },
  {
    id: "H2-42",
    what: ":protocol with a line break",
    rule: "RFC 8441 4",
    sent: [headers(1, [[":method", "CONNECT"], [":protocol", "a\r\nb"], ...GET.slice(1)])],
    ...MALFORMED,
  },
  {
    id: "H2-42",
    what: ":protocol with GET",
    rule: "RFC 8441 4",
    sent: request([...GET, [":protocol", "websocket"]]),
    ...MALFORMED,
  },
  {
    id: "H2-46",
    what: "PUSH_PROMISE of a client",
    rule: "8.4",
    sent: [rawFrame(5, 4, 1, [0, 0, 0, 2])],
    ...goneWith(1),
  },
  {
    id: "H2-47",
    what: "trailers without END_STREAM",
    rule: "8.1",
    sent: [post(1), headers(1, [["x", "y"]])],
    calls: ["request 1 POST shop /", "closed 1", "reset 1 1"],
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-47",
    what: "a pseudo-field in trailers",
    rule: "8.1",
    sent: [post(1), headers(1, [[":path", "/"]], true)],
    calls: ["request 1 POST shop /", "closed 1", "reset 1 1"],
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-47",
    what: "trailers",
    rule: "8.1",
    sent: [post(1), data(1, "x"), headers(1, [["grpc-status", "0"]], true)],
    calls: ["request 1 POST shop /", "data 1 x", "end 1 grpc-status=0"],
    answer: [],
  },
  {
    id: "H2-49",
    what: "PRIORITY, also on an idle stream",
    rule: "5.3.2",
    sent: [rawFrame(2, 0, 99, [0, 0, 0, 1, 5]), get(1)],
    calls: TAKEN,
    answer: [],
  },
  {
    id: "H2-49",
    what: "PRIORITY_UPDATE and other unknown frames",
    rule: "5.5",
    sent: [rawFrame(0x10, 0, 0, [0, 0, 0, 1, 117]), rawFrame(0xfa, 255, 77, [1]), get(1)],
    calls: TAKEN,
    answer: [],
  },
  {
    id: "H2-49",
    what: "an unknown frame within a field block",
    rule: "5.5",
    sent: [rawFrame(1, 0, 1, rawBlock(GET)), rawFrame(0xfa, 0, 1, [])],
    ...goneWith(1),
  },
  { id: "H2-49", what: "unknown settings", rule: "6.5.2", sent: [settings([0xfa, 77])], answer: ["SETTINGS ACK"] },
  {
    id: "H2-50",
    what: "SETTINGS ACK before SETTINGS",
    rule: "3.4",
    sent: [SETTINGS_ACK, get(1)],
    calls: TAKEN,
    answer: [],
  },
  {
    id: "padding",
    what: "padding as long as the frame",
    rule: "6.1",
    sent: [post(1), rawFrame(0, FLAG.padded, 1, [3, 0, 0])],
    ...goneWith(1, 1),
  },
  {
    id: "padding",
    what: "DATA that is padded and has no bytes",
    rule: "6.1",
    sent: [post(1), rawFrame(0, FLAG.padded, 1)],
    ...goneWith(6, 1),
  },
  {
    id: "padding",
    what: "padding of DATA",
    rule: "6.1",
    sent: [post(1), rawFrame(0, FLAG.padded | 1, 1, [2, 97, 98, 0, 0])],
    calls: ["request 1 POST shop /", "data 1 ab", "end 1"],
    answer: [],
  },
  {
    id: "padding",
    what: "padding and priority of HEADERS",
    rule: "6.2",
    sent: [rawFrame(1, 0x2d, 1, [1, 0, 0, 0, 0, 5, ...rawBlock(GET), 0])],
    calls: TAKEN,
    answer: [],
  },
  { id: "order", what: "CONTINUATION without HEADERS", rule: "6.10", sent: [rawFrame(9, 4, 1, [])], ...goneWith(1) },
  {
    id: "order",
    what: "CONTINUATION of another stream",
    rule: "6.10",
    sent: [rawFrame(1, 0, 1, rawBlock(GET)), rawFrame(9, 4, 3, [])],
    ...goneWith(1),
  },
  {
    id: "order",
    what: "DATA within a field block",
    rule: "4.3",
    sent: [rawFrame(1, 0, 1, rawBlock(GET)), data(1, "x")],
    ...goneWith(1),
  },
  { id: "order", what: "a PING answers a PING", rule: "6.7", sent: [ping()], answer: ["PING ACK"] },
];

test.each(CASES)("$id $what (RFC 9113 section $rule)", ({ sent, calls, answer }) => {
  const peer = new ScriptedPeer("server");
  peer.send(...sent);
  if (calls) expect(peer.calls).toEqual(calls);
  expect(peer.sent()).toEqual(answer);
  expect(peer.connection.failure !== undefined).toBe(answer.some((frame) => frame.startsWith("GOAWAY")));
});

test("H2-08: a thousand references to a field of 3.9 KB are refused, and the table stays in step", () => {
  const peer = new ScriptedPeer("server");
  const insert = Buffer.concat([Buffer.of(0x40, 1, 120, 0x7f, 0xbd, 0x1d), new Uint8Array(3900).fill(97)]);
  peer.send(rawFrame(1, 5, 1, Buffer.concat([rawBlock(GET), insert])));
  peer.send(rawFrame(1, 5, 3, Buffer.concat([rawBlock(GET), new Uint8Array(1000).fill(0xbe)])));
  expect(peer.sent()).toEqual(["RST_STREAM 3 code 11"]);
  peer.send(rawFrame(1, 5, 5, Buffer.concat([rawBlock(GET), Buffer.of(0xbe)])));
  expect(peer.calls.filter((call) => call.startsWith("request"))).toEqual([
    "request 1 GET shop /",
    "request 5 GET shop /",
  ]);
});

test("H2-42: extended CONNECT is malformed where our SETTINGS do not allow it (RFC 8441 section 4)", () => {
  const peer = new ScriptedPeer("server", { limits: testLimits({}, { enableConnectProtocol: false }) });
  peer.send(headers(1, [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1)]));
  expect([peer.calls, peer.sent()]).toEqual([[], ["RST_STREAM 1 code 1"]]);
});

test("H2-50: bytes of HTTP/1.1 end the connection at the first one that is another", () => {
  const peer = new ScriptedPeer("server", { isGreeted: false });
  peer.send(Buffer.from("PRI * HTTP/1"));
  expect(peer.connection.failure?.code).toBe(1);
});

test("H2-03 and H2-04: streams over the limit are refused and may be tried again, also before our SETTINGS are acknowledged", () => {
  const peer = new ScriptedPeer("server");
  for (let index = 0; index < 103; index++) peer.send(get(1 + 2 * index));
  expect(peer.sent()).toEqual([201, 203, 205].map((id) => `RST_STREAM ${id} code 7`));
  expect(peer.connection.openStreams).toBe(100);
});
