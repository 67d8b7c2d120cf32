import { expect, test } from "vitest";
import { isAbout, parseAccessLog } from "./access-log.ts";

/** As nodes write them. */
const outbound = {
  log: "access",
  event: "closed",
  direction: "outbound",
  "src.addr": "[fd00:10:244:1::b]:36442",
  "src.workload": "client",
  "src.namespace": "shop",
  "src.identity": "spiffe://cluster.local/ns/shop/sa/client",
  "dst.addr": "[fd00:10:96::10]:80",
  "dst.workload": "web-0",
  "dst.namespace": "shop",
  "dst.identity": "spiffe://cluster.local/ns/shop/sa/web",
  "dst.service": "web.shop.svc.cluster.local",
  connection_security_policy: "mutual_tls",
};
const inbound = {
  log: "access",
  event: "failed",
  direction: "inbound",
  "src.addr": "[fd00:10:244:1::a]:40076",
  "src.workload": "stranger",
  "src.namespace": "outside",
  "dst.workload": "web-1",
  "dst.namespace": "shop",
  policy: "shop/strict",
};
const early = { log: "access", event: "failed", "pod.namespace": "shop", "pod.name": "web-2" };

const request = {
  log: "access",
  event: "request",
  direction: "outbound",
  "dst.service": "web.shop.svc.cluster.local",
  route: "shop/canary",
  backend: "web-v2.shop.svc.cluster.local:8080",
};

test("a request is about the service that was called, the route that held it, and the one that the route chose", () => {
  for (const who of ["shop/web", "shop/canary", "shop/web-v2"]) expect(isAbout(request, who)).toBe(true);
  for (const who of ["shop/web-v", "shop/v2", "other/canary"]) expect(isAbout(request, who)).toBe(false);
});

test("only lines of the access log are taken", () => {
  expect(parseAccessLog('{"log":"access","msg":"connection complete"}')).toEqual({
    log: "access",
    msg: "connection complete",
  });
  expect(parseAccessLog('{"msg":"supervisor is up"}')).toBeUndefined();
  expect(parseAccessLog("null")).toBeUndefined();
  expect(parseAccessLog("plain text")).toBeUndefined();
});

test.each([
  ["shop/client", "a source", [outbound]],
  ["shop/web-0", "a destination", [outbound]],
  ["shop/web", "a service", [outbound]],
  ["outside/stranger", "a source", [inbound]],
  ["shop/web-1", "a destination", [inbound]],
  ["shop/web-2", "the pod itself", [early]],
  ["shop/strict", "a policy", [inbound]],
  ["shop/stranger", "nobody: the name is of another namespace", []],
  ["outside/web", "nobody", []],
  ["sho/web", "nobody", []],
  ["shop/web.shop", "nobody", []],
  ["fd00:10:244:1::a", "an address", [inbound]],
  ["spiffe://cluster.local/ns/shop/sa/web", "an identity", [outbound]],
  ["mutual_tls", "any text", [outbound]],
])("%s is %s", (who, _, expected) => {
  expect([outbound, inbound, early].filter((entry) => isAbout(entry, who))).toEqual(expected);
});
