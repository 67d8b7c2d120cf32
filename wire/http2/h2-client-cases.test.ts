import { expect, test } from "vitest";
import { type Case, CONNECT, goneWith, many } from "./testing/h2-case.ts";
import { data, GET, goAway, headers, type Pairs, ping, rawFrame, settings } from "./testing/raw-frames.ts";
import { ScriptedPeer } from "./testing/scripted-peer.ts";

// The cases H2-xx, and those of H1 that say how an upstream's answer is read, that the codec decides where it is the client.

const HEAD: Pairs = [[":method", "HEAD"], ...GET.slice(1)];
const response = (status: string, more: Pairs = [], endStream = false): Uint8Array =>
  headers(1, [[":status", status], ...more], endStream);
const BROKEN = ["closed 1", "reset 1 1"];
const LENGTH: Pairs = [["content-length", "5"]];

interface ClientCase extends Case {
  readonly asked?: Pairs;
}

const CASES: readonly ClientCase[] = [
  {
    id: "H2-14",
    what: "200 fields in a response",
    rule: "10.5.1",
    sent: [
      response(
        "200",
        many(200, () => ["x", "y"]),
      ),
    ],
    calls: ["closed 1", "reset 1 11"],
    answer: ["RST_STREAM 1 code 11"],
  },
  {
    id: "H2-28",
    what: "a response without :status",
    rule: "8.3.2",
    sent: [headers(1, [["x", "y"]])],
    calls: BROKEN,
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-28",
    what: ":status twice",
    rule: "8.3.2",
    sent: [response("200", [[":status", "200"]])],
    calls: BROKEN,
    answer: ["RST_STREAM 1 code 1"],
  },
  ...["099", "1000", "abc", "101", "+20", ""].map((status) => ({
    id: "H2-28",
    what: `:status ${status}`,
    rule: "8.3.2",
    sent: [response(status)],
    calls: BROKEN,
    answer: ["RST_STREAM 1 code 1"],
  })),
  {
    id: "H2-25",
    what: "HEADERS on a stream of the server",
    rule: "5.1.1",
    sent: [headers(2, [[":status", "200"]])],
    ...goneWith(1),
  },
  {
    id: "H2-25",
    what: "HEADERS on a stream that is not open yet",
    rule: "5.1.1",
    sent: [headers(3, [[":status", "200"]])],
    ...goneWith(1),
  },
  {
    id: "H2-41",
    what: "less DATA than content-length",
    rule: "8.1.1",
    sent: [response("200", LENGTH), data(1, "abc", true)],
    calls: ["response 1 200", "data 1 abc", ...BROKEN],
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-41",
    what: "content-length and an end without DATA",
    rule: "8.1.1",
    sent: [response("200", LENGTH, true)],
    calls: ["response 1 200", ...BROKEN],
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-41",
    what: "content-length of an answer to HEAD",
    rule: "RFC 9110 8.6",
    asked: HEAD,
    sent: [response("200", LENGTH, true)],
    calls: ["response 1 200", "end 1"],
    answer: [],
  },
  {
    id: "H2-41",
    what: "content-length of an answer to HEAD that ends with empty DATA",
    rule: "RFC 9110 8.6",
    asked: HEAD,
    sent: [response("200", LENGTH), data(1, "", true)],
    calls: ["response 1 200", "end 1"],
    answer: [],
  },
  {
    id: "H1-28",
    what: "content of an answer to HEAD",
    rule: "8.1.1",
    asked: HEAD,
    sent: [response("200", LENGTH), data(1, "abcde", true)],
    calls: ["response 1 200", ...BROKEN],
    answer: ["RST_STREAM 1 code 1"],
  },
  ...["204", "304"].flatMap((status) => [
    {
      id: "H1-28",
      what: `content of ${status}`,
      rule: "8.1.1",
      sent: [response(status), data(1, "a")],
      calls: [`response 1 ${status}`, ...BROKEN],
      answer: ["RST_STREAM 1 code 1"],
    },
    {
      id: "H1-28",
      what: `${status} with content-length`,
      rule: "RFC 9110 8.6",
      sent: [response(status, LENGTH, true)],
      calls: [`response 1 ${status}`, "end 1"],
      answer: [],
    },
  ]),
  {
    id: "H2-42",
    what: "a tunnel",
    rule: "8.5",
    asked: CONNECT,
    sent: [response("200", LENGTH), data(1, "ab", true)],
    calls: ["response 1 200", "data 1 ab", "end 1"],
    answer: [],
  },
  {
    id: "H2-42",
    what: "HEADERS within a tunnel",
    rule: "8.5",
    asked: CONNECT,
    sent: [response("200"), headers(1, [["x", "y"]], true)],
    calls: ["response 1 200", ...BROKEN],
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-42",
    what: "trailers where CONNECT was refused",
    rule: "8.5",
    asked: CONNECT,
    sent: [response("403"), headers(1, [["x", "y"]], true)],
    calls: ["response 1 403", "end 1 x=y"],
    answer: [],
  },
  { id: "H2-46", what: "PUSH_PROMISE", rule: "8.4", sent: [rawFrame(5, 4, 1, [0, 0, 0, 2])], ...goneWith(1) },
  { id: "H2-46", what: "SETTINGS_ENABLE_PUSH of a server", rule: "6.5.2", sent: [settings([2, 1])], ...goneWith(1) },
  {
    id: "H2-47",
    what: "trailers only",
    rule: "8.1",
    sent: [response("200", [["grpc-status", "5"]], true)],
    calls: ["response 1 200", "end 1"],
    answer: [],
  },
  {
    id: "H2-47",
    what: "trailers",
    rule: "8.1",
    sent: [response("200"), data(1, "m"), headers(1, [["grpc-status", "0"]], true)],
    calls: ["response 1 200", "data 1 m", "end 1 grpc-status=0"],
    answer: [],
  },
  {
    id: "H2-48",
    what: "100 and 103 before the final response",
    rule: "8.1",
    sent: [response("100"), response("103"), response("200", [], true)],
    calls: ["response 1 100", "response 1 103", "response 1 200", "end 1"],
    answer: [],
  },
  {
    id: "H2-48",
    what: "103 after the final response",
    rule: "8.1",
    sent: [response("200"), response("103")],
    calls: ["response 1 200", ...BROKEN],
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-48",
    what: "103 that ends the stream",
    rule: "8.1",
    sent: [response("103", [], true)],
    calls: BROKEN,
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-48",
    what: "DATA after 103",
    rule: "8.1",
    sent: [response("103"), data(1, "x")],
    calls: ["response 1 103", ...BROKEN],
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H2-48",
    what: "DATA before any head",
    rule: "8.1",
    sent: [data(1, "", true)],
    calls: BROKEN,
    answer: ["RST_STREAM 1 code 1"],
  },
  {
    id: "H1-29",
    what: "103 without end",
    rule: "10.5",
    sent: Array.from({ length: 1000 }, () => response("103")),
    calls: [...Array.from({ length: 32 }, () => "response 1 103"), "closed 1", "reset 1 11"],
    answer: ["RST_STREAM 1 code 11"],
  },
  {
    id: "H2-44",
    what: "GOAWAY that excludes our stream",
    rule: "6.8",
    sent: [goAway(0)],
    calls: ["closed 1", "reset 1 7", "goaway 0 0"],
    answer: [],
  },
  {
    id: "H2-44",
    what: "GOAWAY that includes our stream",
    rule: "6.8",
    sent: [goAway(1), response("200", [], true)],
    calls: ["goaway 1 0", "response 1 200", "end 1"],
    answer: [],
  },
  {
    id: "H2-44",
    what: "GOAWAY with a higher last stream than before",
    rule: "6.8",
    sent: [goAway(1), goAway(3)],
    ...goneWith(1),
  },
];

test.each(CASES)("$id $what (RFC 9113 section $rule)", ({ asked = GET, sent, calls, answer }) => {
  const peer = new ScriptedPeer("client");
  peer.open(asked);
  peer.sent();
  peer.send(...sent);
  if (calls) expect(peer.calls).toEqual(calls);
  expect(peer.sent()).toEqual(answer);
  expect(peer.connection.failure !== undefined).toBe(answer.some((frame) => frame.startsWith("GOAWAY")));
});

test("H2-50: a first frame other than SETTINGS ends the connection (RFC 9113 section 3.4)", () => {
  const peer = new ScriptedPeer("client", { isGreeted: false });
  peer.send(ping());
  expect(peer.connection.failure?.code).toBe(1);
});
