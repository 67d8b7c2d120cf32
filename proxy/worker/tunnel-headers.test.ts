import { expect, test } from "vitest";
import { serviceName } from "#mesh/service.ts";
import { emptySnapshot } from "#mesh/snapshot.ts";
import { exampleService, exampleWorkload, ip, snapshotWith, spiffe } from "#mesh/testing/examples.ts";
import type { IncomingTunnel } from "../tunnel/tunnel.ts";
import { calledService, callerOf, requestHeaders, responseHeaders, traceIdOf } from "./tunnel-headers.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const CLIENT = { address: ip("10.244.1.10"), port: 40_000 };

const WEB = exampleWorkload({
  owner: { kind: "deployment", name: "web" },
  locality: { region: "eu", zone: "eu-1", subzone: "" },
});
const SERVICE = exampleService();
const MESH = snapshotWith({
  workloads: new Map([[WEB.uid, WEB]]),
  services: new Map([[serviceName(SERVICE), SERVICE]]),
});

/** A request with these headers. */
const request = (headers: Readonly<Record<string, string>>): IncomingTunnel =>
  ({ header: (name: string) => headers[name] }) as IncomingTunnel;

test("a request says who calls whom, in ztunnel's words", () => {
  expect(requestHeaders(WEB, CLIENT, SERVICE, TRACE, PARENT)).toEqual({
    baggage:
      "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.deployment.name=web,service.name=web," +
      "service.version=latest,cloud.region=eu,cloud.availability_zone=eu-1",
    forwarded: 'for="10.244.1.10:40000";host=web.shop.svc.cluster.local',
    traceparent: `00-${TRACE}-${PARENT}-00`,
  });
});

test("a request to a pod by its address names no service", () => {
  expect(requestHeaders(WEB, CLIENT, undefined, TRACE, PARENT).forwarded).toBe('for="10.244.1.10:40000"');
});

test("an answer says who answers, where that is known", () => {
  expect(responseHeaders(WEB).baggage).toMatch(/k8s\.deployment\.name=web/);
  expect(responseHeaders(undefined)).toEqual({});
});

test("both ends use the trace id of the caller; what is none is not used", () => {
  const { traceparent = "" } = requestHeaders(WEB, CLIENT, SERVICE, TRACE, PARENT);
  expect(traceIdOf(request({ traceparent }))).toBe(TRACE);
  for (const wrong of [
    {},
    { traceparent: "" },
    { traceparent: "00-0-0-00" },
    { traceparent: `00-${"0".repeat(32)}-${PARENT}-00` },
  ]) {
    expect(traceIdOf(request(wrong))).toBeUndefined();
  }
});

test("a caller is known by its address where its certificate says the same, or where there is none", () => {
  const identity = spiffe("spiffe://cluster.local/ns/shop/sa/web");
  expect(callerOf(MESH, CLIENT, identity)).toBe(WEB);
  expect(callerOf(MESH, CLIENT, undefined)).toBe(WEB);
  expect(callerOf(MESH, { address: ip("10.244.1.99"), port: 1 }, identity)).toBeUndefined();
});

test("an address that was somebody else's says nothing of a proven caller", () => {
  expect(callerOf(MESH, CLIENT, spiffe("spiffe://cluster.local/ns/shop/sa/cart"))).toBeUndefined();
  expect(callerOf(MESH, CLIENT, spiffe("spiffe://other/ns/shop/sa/web"))).toBeUndefined();
});

test("the service that was called is the one that the caller names, if the pod is an endpoint of it", () => {
  const { forwarded = "" } = requestHeaders(WEB, CLIENT, SERVICE, TRACE, PARENT);
  expect(calledService(MESH, WEB, request({ forwarded }))).toBe(SERVICE);
});

test.each([
  ["nothing", {}],
  ["no host", { forwarded: 'for="10.244.1.10:40000"' }],
  ["another service", { forwarded: "host=other.shop.svc.cluster.local" }],
  ["a part of the name", { forwarded: "host=cluster.local" }],
  ["the end of the name", { forwarded: "host=b.shop.svc.cluster.local" }],
  ["a path", { forwarded: "host=shop/web.shop.svc.cluster.local" }],
])("a caller that names %s called no service", (_, headers) => {
  expect(calledService(MESH, WEB, request(headers))).toBeUndefined();
});

test("a service that the pod is an endpoint of, and that has no record, is not known", () => {
  const forwarded = "host=web.shop.svc.cluster.local";
  expect(calledService(emptySnapshot, WEB, request({ forwarded }))).toBeUndefined();
  expect(calledService(MESH, exampleWorkload({ services: new Map() }), request({ forwarded }))).toBeUndefined();
});
