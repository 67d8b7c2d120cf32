import { expect, test } from "vitest";
import { unwrap } from "../result.ts";
import { type Fields, gatewayObject, problemPaths, readHttpRule } from "../testing/route-yaml.ts";
import type { BackendTrafficPolicyObject } from "./backend-traffic-policy.ts";
import { readMeshObject } from "./mesh-object.ts";

const TARGET = { group: "", kind: "Service", name: "web" };

const policy = (spec: Fields): unknown => ({
  ...(gatewayObject("XBackendTrafficPolicy", { targetRefs: [TARGET], ...spec }) as Fields),
  apiVersion: "gateway.networking.x-k8s.io/v1alpha1",
});

const read = (spec: Fields) => unwrap(readMeshObject(policy(spec))) as BackendTrafficPolicyObject;

test("a policy's defaults are 20 percent of 10 s, and 10 retries a second always", () => {
  expect(read({})).toMatchObject({ targets: [TARGET], unsupported: [] });
  expect(read({}).retryConstraint).toBeUndefined();
  const defaults = { percent: 20, intervalMs: 10_000, minRetries: 10, minRetriesIntervalMs: 1_000 };
  expect(read({ retryConstraint: {} }).retryConstraint).toEqual(defaults);
  expect(
    read({ retryConstraint: { budget: { percent: 0 }, minRetryRate: { interval: "1ms" } } }).retryConstraint,
  ).toEqual({ ...defaults, percent: 0, minRetriesIntervalMs: 1 });
});

test.each<[Fields, string]>([
  [{ targetRefs: [] }, "targetRefs"],
  [{ targetRefs: Array.from({ length: 17 }, () => TARGET) }, "targetRefs"],
  [{ targetRefs: [{ ...TARGET, sectionName: "http" }] }, "targetRefs[0].sectionName"],
  [{ retryConstraint: { budget: { percent: 101 } } }, "retryConstraint.budget.percent"],
  [{ retryConstraint: { budget: { interval: "999ms" } } }, "retryConstraint.budget.interval"],
  [{ retryConstraint: { budget: { interval: "3601s" } } }, "retryConstraint.budget.interval"],
  [{ retryConstraint: { minRetryRate: { count: 0 } } }, "retryConstraint.minRetryRate.count"],
  [{ retryConstraint: { minRetryRate: { interval: "0s" } } }, "retryConstraint.minRetryRate.interval"],
])("a policy is refused with the path: %j", (spec, path) => {
  expect(problemPaths(policy(spec))).toEqual([`spec.${path}`]);
});

const COOKIE = { kind: "cookie", path: "/", isPermanent: false };

test.each<[string, Fields, Fields]>([
  ["nothing said", {}, COOKIE],
  ["v1.6.1", { sessionName: "s", type: "Cookie" }, { ...COOKIE, name: "s" }],
  [
    "v1.6.1, for good",
    { sessionName: "s", absoluteTimeout: "1h", cookieConfig: { lifetimeType: "Permanent" } },
    { ...COOKIE, name: "s", absoluteTimeoutMs: 3_600_000, isPermanent: true },
  ],
  ["v1.6.1, a header", { sessionName: "X-S", type: "Header" }, { kind: "header", name: "x-s" }],
  ["a cookie", { cookie: { name: "s", path: "/a" } }, { ...COOKIE, name: "s", path: "/a" }],
  ["a header", { type: "Header", header: { name: "X-S" } }, { kind: "header", name: "x-s" }],
])("session persistence in both forms: %s", (_, spec, expected) => {
  expect(readHttpRule({ sessionPersistence: spec }).sessionPersistence).toMatchObject(expected);
  expect(read({ sessionPersistence: spec }).sessionPersistence).toMatchObject(expected);
});

test.each<[string, Fields, string]>([
  ["a header without a name", { type: "Header" }, ".header"],
  ["the other one", { header: { name: "a" } }, ".header"],
  ["a cookie for a header", { type: "Header", header: { name: "a" }, cookie: {} }, ".cookie"],
  ["both forms", { sessionName: "a", cookie: { name: "a" } }, ""],
  ["for good without an end", { cookie: { lifetimeType: "Permanent" } }, ".absoluteTimeout"],
  ["a name that is none", { cookie: { name: "a b" } }, ".cookie.name"],
  ["a path that is none", { cookie: { path: "/a; Domain=evil" } }, ".cookie.path"],
])("session persistence is refused: %s", (_, spec, path) => {
  expect(problemPaths(policy({ sessionPersistence: spec }))).toEqual([`spec.sessionPersistence${path}`]);
});

test("what is not known of session persistence is said, and no mistake", () => {
  const spec = { type: "Token" };
  expect(readHttpRule({ sessionPersistence: spec })).toMatchObject({
    ignored: ["sessionPersistence.type"],
    sessionPersistence: undefined,
  });
  expect(readHttpRule({ sessionPersistence: {} })).toMatchObject({
    ignored: [],
    sessionPersistence: { kind: "cookie" },
  });
  expect(read({ sessionPersistence: spec }).unsupported.map(({ path }) => path)).toEqual([
    "spec.sessionPersistence.type",
  ]);
});
