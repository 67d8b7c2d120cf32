import { expect, test } from "vitest";
import type { AwaitedResponse } from "#wire/http1/parse-response-head.ts";
import { bytesOf } from "#wire/http1/testing/record.ts";
import { GET, response, to } from "#wire/http1/testing/response-cases.ts";
import { responseDisagreement } from "./http1-response-disagreement.ts";
import { type Theirs, understoodByUs } from "./http1-response-understood.ts";
import type { Outcome } from "./http1-tally.ts";

const THREE = `${response("200 OK", "Content-Length: 3")}abc`;
const CHUNKED = response("200 OK", "Transfer-Encoding: chunked");
const read: Theirs = { status: 200, content: "abc", isComplete: true };
const own: Theirs = { status: 502, content: "Bad Gateway", isComplete: true };

const ROWS: readonly (readonly [title: string, peer: string, bytes: string, theirs: Theirs, kind: Outcome["kind"]])[] =
  [
    ["the same answer", "nginx", THREE, read, "agreed"],
    ["both refuse, and it says so itself", "nginx", "HTTP/1.1 2000\r\n\r\n", own, "agreed"],
    ["both refuse, and it breaks off", "nginx", `${CHUNKED}3\r\nabcd`, { ...read, isComplete: false }, "agreed"],
    ["it reads to the end what we break off", "nginx", `${CHUNKED}3\nabc`, read, "stricter"],
    ["it reads what we refuse", "nginx", "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", read, "stricter"],
    ["it refuses what we read to the end", "nginx", THREE, "refused", "unexplained"],
    ["it says 502 to what we read to the end", "nginx", THREE, own, "unexplained"],
    ["it breaks off what we read to the end", "nginx", THREE, { ...read, isComplete: false }, "unexplained"],
    ["it sees other content", "nginx", THREE, { ...read, content: "ab" }, "unexplained"],
    ["it sees another status", "nginx", THREE, { ...read, status: 100 }, "unexplained"],
    ["502, of the server or of the proxy", "nginx", response("502 B", "Content-Length: 0"), own, "undecided"],
    ["1xx at nginx", "nginx", response("103 Early") + THREE, read, "undecided"],
    ["no answer in time", "nginx", THREE, "undecided", "undecided"],
  ];

const outcome = (peer: string, awaited: AwaitedResponse, bytes: string, theirs: Theirs): Outcome["kind"] => {
  const given = bytesOf(bytes);
  return responseDisagreement(peer, awaited, understoodByUs(awaited, given), theirs).kind;
};

test.each(ROWS)("%s (%s)", (_, peer, bytes, theirs, kind) => {
  expect(outcome(peer, GET, bytes, theirs)).toBe(kind);
});

test("an entry explains a disagreement, of its own peers alone", () => {
  const refusal = response("403 No", "Content-Length: 0");
  const tunnel: Theirs = { status: 403, content: "abc", isComplete: true };
  expect(outcome("node:http", to("CONNECT"), refusal, tunnel)).toBe("explained");
  expect(outcome("nginx", to("CONNECT"), refusal, tunnel)).toBe("unexplained");
});
