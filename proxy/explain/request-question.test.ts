import { expect, test } from "vitest";
import { readRequestQuestion } from "./request-question.ts";

const from = { namespace: "shop", name: "client" };

test.each([
  ["http://web", { scheme: "http", authority: "web", host: "web", port: 80, target: "/" }],
  ["http://web?a=1", { target: "/?a=1" }],
  ["http://Web.Shop:8080/A/../b?c=d%20e#f", { error: true }],
  [
    "http://Web.Shop:8080/A/../b?c=d%20e",
    { authority: "Web.Shop:8080", host: "web.shop", port: 8080, target: "/A/../b?c=d%20e" },
  ],
  ["https://web/", { scheme: "https", port: 443 }],
  ["http://[fd00::1]:81/", { host: "fd00::1", port: 81, authority: "[fd00::1]:81" }],
  [
    "grpc://greeter:9000/a.B/C",
    { scheme: "http", method: "POST", fields: [{ name: "content-type", value: "application/grpc" }] },
  ],
  ["h2c://web/a", { scheme: "http", method: "GET", isHttp2: true, fields: [] }],
  ["web", { error: true }],
  ["ftp://web/", { error: true }],
  ["http:///path", { error: true }],
  ["http://user@web/", { error: true }],
  ["http://web:0/", { error: true }],
  ["http://web:99999/", { error: true }],
  ["http://we b/", { error: true }],
] as const)("%s is read as it is written", (url, expected) => {
  const read = readRequestQuestion({ from, url });
  if ("error" in expected) expect(read.ok).toBe(false);
  else expect(read).toMatchObject({ ok: true, value: expected });
});

test.each([
  ["nothing", undefined],
  ["no pod", { url: "http://web/" }],
  ["half a pod", { from: { namespace: "shop" }, url: "http://web/" }],
  ["a pod of another kind", { from: { namespace: {}, name: [] }, url: "http://web/" }],
  ["no URL", { from }],
  ["a URL of another kind", { from, url: {} }],
  ["a method with a space", { from, url: "http://web/", method: "GET /" }],
  ["a header without a name", { from, url: "http://web/", headers: [{ value: "x" }] }],
  ["a header with a line end", { from, url: "http://web/", headers: [{ name: "x", value: "a\r\nb: c" }] }],
  ["headers that are no list", { from, url: "http://web/", headers: "x" }],
  [
    "more headers than a request has",
    { from, url: "http://web/", headers: Array.from({ length: 101 }, () => ({ name: "x", value: "" })) },
  ],
])("%s is refused with a word", (_, question) => {
  expect(readRequestQuestion(question)).toEqual({ ok: false, error: expect.stringMatching(/\w/) as unknown });
});
