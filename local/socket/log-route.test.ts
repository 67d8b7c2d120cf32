import { expect, test } from "vitest";
import { parseLogRequest } from "./log-route.ts";

test.each([
  ["pod=shop/web-0", "shop.web-0"],
  ["node=node-2", "node-2"],
  ["part=control-plane", "control-plane"],
  ["part=runtime", "runtime"],
])("%s is the log called %s", (query, log) => {
  expect(parseLogRequest(new URLSearchParams(query))).toEqual({
    ok: true,
    value: { log, tail: 1_000, follow: false },
  });
});

test("how much of it, and whether to go on, can be said", () => {
  expect(parseLogRequest(new URLSearchParams("node=node-1&tail=5&follow=1"))).toMatchObject({
    value: { tail: 5, follow: true },
  });
});

test.each([
  "",
  "pod=web-0",
  "pod=../../etc/passwd",
  "pod=shop/../x/y",
  "node=../ca",
  "part=secrets",
  "node=node-1&tail=-1",
])("%j is refused", (query) => {
  expect(parseLogRequest(new URLSearchParams(query)).ok).toBe(false);
});
