import { expect, test } from "vitest";
import { unwrap } from "#mesh/result.ts";
import { missingLog, parseLogRequest } from "./log-route.ts";

test.each([
  ["pod=shop/web-0", "shop.web-0"],
  ["node=node-2", "node-2"],
  ["part=control-plane", "control-plane"],
  ["part=runtime", "runtime"],
])("%s is the log called %s", (query, log) => {
  expect(parseLogRequest(new URLSearchParams(query))).toMatchObject({
    ok: true,
    value: { log, access: undefined, tail: 1_000, follow: false },
  });
});

test("how much of it, and whether to go on, can be said", () => {
  expect(parseLogRequest(new URLSearchParams("node=node-1&tail=5&follow=1&access=shop/web"))).toMatchObject({
    value: { tail: 5, follow: true, access: "shop/web" },
  });
});

test.each([
  "",
  "pod=web-0",
  "pod=../../etc/passwd",
  "pod=shop/../x/y",
  "node=node.1",
  "node=../ca",
  "part=secrets",
  "node=node-1&tail=-1",
])("%j is refused", (query) => {
  expect(parseLogRequest(new URLSearchParams(query)).ok).toBe(false);
});

/** Written to were the logs of a pod that is gone, and of all parts. */
const owners = {
  logs: { has: (log: string) => ["shop.gone", "node-1", "runtime", "control-plane"].includes(log) },
  pods: ["shop/client", "shop/web-0"],
  nodes: ["node-1", "node-2"],
};

test.each([
  ["pod=shop/web-0", undefined],
  ["pod=shop/gone", undefined],
  ["pod=shop/nopod", "there is no pod shop/nopod; the mesh's pods are shop/client, shop/web-0"],
  ["node=node-2", undefined],
  ["node=node-9", "there is no node node-9; the mesh's nodes are node-1, node-2"],
  ["node=runtime", "there is no node runtime; the mesh's nodes are node-1, node-2"],
  ["part=runtime", undefined],
])("%s: %s", (query, missing) => {
  expect(missingLog(unwrap(parseLogRequest(new URLSearchParams(query))), owners)).toBe(missing);
});

test("of many pods some are named, and of none that there is none", () => {
  const request = unwrap(parseLogRequest(new URLSearchParams("pod=shop/nopod")));
  const pods = Array.from({ length: 25 }, (_, index) => `shop/web-${index}`);
  expect(missingLog(request, { ...owners, pods })).toMatch(/are shop\/web-0, .*shop\/web-19 and 5 more$/);
  expect(missingLog(request, { ...owners, pods: [] })).toMatch(/; the mesh has no pods$/);
});
