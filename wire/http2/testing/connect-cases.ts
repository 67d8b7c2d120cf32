import { type Case, CONNECT, MALFORMED } from "./h2-case.ts";
import { data, GET, headers, type Pairs } from "./raw-frames.ts";

const request = (fields: Pairs): readonly Uint8Array[] => [headers(1, fields, true)];

/** CONNECT of a client, where the server has tunnels and extended CONNECT. */
export const CONNECT_CASES: readonly Case[] = [
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
];
