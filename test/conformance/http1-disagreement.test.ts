import { expect, test } from "vitest";
import { bytesOf } from "#wire/http1/testing/record.ts";
import { disagreement } from "./http1-disagreement.ts";
import type { Outcome } from "./http1-tally.ts";
import { understoodByUs, type UnderstoodRequest } from "./http1-understood.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const UPGRADE = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
const one: UnderstoodRequest = { method: "GET", target: "/", contentBytes: 0 };

const ROWS: readonly (readonly [
  title: string,
  peer: string,
  bytes: string,
  theirs: readonly UnderstoodRequest[],
  kind: Outcome["kind"],
])[] = [
  ["the same requests", "nginx", GET + GET, [one, one], "agreed"],
  ["both refuse", "nginx", "GET /\r\n\r\n", [], "agreed"],
  ["they accept what we refuse", "nginx", `${GET}GET /\r\n\r\n`, [one, one], "stricter"],
  ["they refuse what we accept", "nginx", GET, [], "unexplained"],
  ["they see another method", "nginx", GET, [{ ...one, method: "HEAD" }], "unexplained"],
  ["they see other content", "nginx", GET, [{ ...one, contentBytes: 1 }], "unexplained"],
  ["they see another target", "nginx", GET, [{ ...one, target: "/a" }], "unexplained"],
  ["they see one request more where we refuse nothing", "nginx", GET, [one, one], "unexplained"],
  ["an entry explains it", "node:http", UPGRADE + GET, [one], "explained"],
  ["an entry is for its own peers", "nginx", UPGRADE + GET, [one], "unexplained"],
];

test.each(ROWS)("%s (%s)", (_, peer, bytes, requests, kind) => {
  const theirs = { requests, statuses: [], isUndecided: false };
  expect(disagreement(peer, understoodByUs(bytesOf(bytes)), theirs).kind).toBe(kind);
});

test("a peer that did not answer in time decides nothing", () => {
  const theirs = { requests: [], statuses: [], isUndecided: true };
  expect(disagreement("nginx", understoodByUs(bytesOf(GET)), theirs).kind).toBe("undecided");
});
