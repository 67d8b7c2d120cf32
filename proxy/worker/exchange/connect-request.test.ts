import { expect, test } from "vitest";
import { ip } from "#mesh/testing/examples.ts";
import { readConnect } from "./connect-request.ts";

const OWN = ip("10.244.1.10");
const OWN_V6 = ip("fd00::a");

test.each([
  ["10.244.1.10:80", OWN],
  ["10.244.1.10:65535", OWN],
  ["[fd00::a]:80", OWN_V6],
  ["[FD00:0::A]:80", OWN_V6],
])("a tunnel to %s reaches the pod that has the address", (authority, own) => {
  expect(readConnect({ method: "CONNECT", authority }, own)).toMatchObject({ ok: true, value: { address: own } });
});

/** RFC 9113 section 8.5: the authority is a host and a port, and nothing else is there. */
test.each([
  ["GET", "10.244.1.10:80", 400, "not-connect"],
  ["", "10.244.1.10:80", 400, "not-connect"],
  ["connect", "10.244.1.10:80", 400, "not-connect"],
  ["CONNECT", "", 400, "bad-authority"],
  ["CONNECT", "10.244.1.10", 400, "bad-authority"],
  ["CONNECT", "10.244.1.10:0", 400, "bad-authority"],
  ["CONNECT", "10.244.1.10:65536", 400, "bad-authority"],
  ["CONNECT", "10.244.1.10:+80", 400, "bad-authority"],
  ["CONNECT", "010.244.1.10:80", 400, "bad-authority"],
  ["CONNECT", "web.shop.svc.cluster.local:80", 400, "bad-authority"],
  ["CONNECT", "user@10.244.1.10:80", 400, "bad-authority"],
  ["CONNECT", "[::ffff:10.244.1.10]:80", 400, "bad-authority"],
  ["CONNECT", "fd00::a:80", 400, "bad-authority"],
  ["CONNECT", "10.244.1.11:80", 400, "authority-mismatch"],
  ["CONNECT", "127.0.0.1:80", 400, "authority-mismatch"],
  ["CONNECT", "0.0.0.0:80", 400, "authority-mismatch"],
  ["CONNECT", "169.254.169.254:80", 400, "authority-mismatch"],
  ["CONNECT", "[fd00::a]:80", 400, "authority-mismatch"],
  ["CONNECT", "10.244.1.11:15008", 400, "authority-mismatch"],
  ["CONNECT", "10.244.1.10:15001", 503, "self-call"],
  ["CONNECT", "10.244.1.10:15006", 503, "self-call"],
  ["CONNECT", "10.244.1.10:15008", 503, "self-call"],
] as const)("%s %j is refused with %i as %s", (method, authority, status, reason) => {
  expect(readConnect({ method, authority }, OWN)).toMatchObject({ ok: false, error: { status, reason } });
});

test("what a caller wrote is quoted in full only where it is short", () => {
  const long = "x".repeat(10_000);
  for (const request of [
    { method: long, authority: "10.244.1.10:80" },
    { method: "CONNECT", authority: long },
  ]) {
    const read = readConnect(request, OWN);
    expect(read.ok ? "" : read.error.message).toMatch(/^.{10,200}$/);
  }
});
