import { expect, test, vi } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { exportPrivateKey, generateKeyPair } from "#certs/x509/key-pair.ts";
import { tlsOf } from "#mesh/routes/backend-policy.ts";
import { decideHttpRoute } from "#mesh/routes/decide-http-route.ts";

import { sharedGet } from "#mesh/shared-map.ts";
import { serviceAt, type Snapshot, workloadAt } from "#mesh/snapshot.ts";
import { ip } from "#mesh/testing/examples.ts";
import { requestFacts } from "#mesh/testing/routes.ts";
import type { AgentOrder, ResourceKind } from "../channel/agent-order.ts";
import {
  backendPolicyBytes,
  bundleBytes,
  policyBytes,
  routesBytes,
  serviceBytes,
  WEB_0,
  WEB_ROUTES,
  WEB_SERVICE,
  workloadBytes,
} from "../testing/resource-bytes.ts";
import { SnapshotFeed } from "./snapshot-feed.ts";

const authority = testAuthority();
const WEB = authority.id("shop/web");

const feed = () => {
  const log = vi.fn<(message: string) => void>();
  const made = new SnapshotFeed(log);
  return { feed: made, log, take: (...orders: readonly AgentOrder[]) => orders.map((order) => made.take(order)) };
};

const resource = (kind: ResourceKind, name: string, bytes: Uint8Array | undefined): AgentOrder => ({
  kind: "resource",
  resource: kind,
  name,
  bytes,
});
const commit = (generation: number, complete = false): AgentOrder => ({ kind: "commit", generation, complete });
const workload = resource("address", WEB_0, workloadBytes());
const service = resource("address", WEB_SERVICE, serviceBytes());
const policy = resource("authorization", "shop/deny", policyBytes());
const bundle = resource("trust-bundle", "cluster.local", bundleBytes([authority.root.certificate]));
const routes = resource("routing", WEB_ROUTES, routesBytes());
const backendPolicy = resource("routing", WEB_SERVICE, backendPolicyBytes());
const BROKEN = Uint8Array.of(0xff, 0xff, 0xff);

const credential = (name = "shop/web", key?: Uint8Array): AgentOrder => {
  const credentials = authority.credentials(name);
  return {
    kind: "credential",
    identity: credentials.id,
    chain: credentials.chain,
    key: key ?? exportPrivateKey(credentials.key),
  };
};

/** Which of the six kinds a snapshot has. */
const contents = (snapshot: Snapshot) => ({
  workload: sharedGet(snapshot.workloads, WEB_0) !== undefined,
  service: sharedGet(snapshot.services, WEB_SERVICE) !== undefined,
  policy: sharedGet(snapshot.policies, "shop/deny") !== undefined,
  bundle: snapshot.bundles.has(authority.trustDomain),
  routes: sharedGet(snapshot.routes, WEB_ROUTES) !== undefined,
  backendPolicy: sharedGet(snapshot.backendPolicies, WEB_SERVICE) !== undefined,
});

const ALL = { workload: true, service: true, policy: true, bundle: true, routes: true, backendPolicy: true };
const NONE = { workload: false, service: false, policy: false, bundle: false, routes: false, backendPolicy: false };

test("nothing of a transaction is in force before its commit, and everything is then", () => {
  const { feed: made, take, log } = feed();
  const before = made.snapshot;
  expect(take(workload, service, policy, bundle, routes, backendPolicy)).toEqual(
    Array.from({ length: 6 }, () => false),
  );
  expect(made.snapshot).toBe(before);
  expect(take(commit(3))).toEqual([true]);
  expect(made.snapshot.generation).toBe(3);
  expect(contents(made.snapshot)).toEqual(ALL);
  expect(contents(before)).toEqual(NONE);
  expect(workloadAt(made.snapshot, ip("10.244.1.10"))?.uid).toBe(WEB_0);
  expect(serviceAt(made.snapshot, ip("10.96.0.10"))?.name).toBe("web");
  expect(log).not.toHaveBeenCalled();
});

test("a later transaction changes what it names, and leaves the rest", () => {
  const { feed: made, take } = feed();
  take(workload, service, policy, bundle, routes, backendPolicy, commit(1));
  take(resource("address", WEB_0, workloadBytes({ serviceAccount: "other" })), commit(2));
  expect(contents(made.snapshot)).toEqual(ALL);
  expect(sharedGet(made.snapshot.workloads, WEB_0)?.serviceAccount).toBe("other");
});

test.each([
  ["workload", "address", WEB_0],
  ["service", "address", WEB_SERVICE],
  ["policy", "authorization", "shop/deny"],
  ["bundle", "trust-bundle", "cluster.local"],
  ["routes", "routing", WEB_ROUTES],
  ["backendPolicy", "routing", WEB_SERVICE],
] as const)("a %s that is gone is gone with its commit, and nothing else is", (kind, type, name) => {
  const { feed: made, take } = feed();
  take(workload, service, policy, bundle, routes, backendPolicy, commit(1));
  take(resource(type, name, undefined));
  expect(contents(made.snapshot)).toEqual(ALL);
  take(commit(2));
  expect(contents(made.snapshot)).toEqual({ ...ALL, [kind]: false });
});

test("within a transaction the last word counts", () => {
  const { feed: made, take } = feed();
  const gone = resource("address", WEB_0, undefined);
  take(workload, commit(1), gone, workload, commit(2));
  expect(contents(made.snapshot).workload).toBe(true);
  take(workload, gone, commit(3));
  expect(contents(made.snapshot).workload).toBe(false);
});

test("a transaction that is all there is forgets what came before, credentials not", () => {
  const { feed: made, take } = feed();
  take(credential(), workload, service, policy, bundle, routes, backendPolicy, commit(7));
  take(workload, commit(1, true));
  expect(contents(made.snapshot)).toEqual({ ...NONE, workload: true });
  expect(made.snapshot.generation).toBe(1);
  expect(made.credentialsOf(WEB)?.id).toBe(WEB);
});

test("what an agent had begun to send before it went is not part of the next one's transaction", () => {
  const { feed: made, take } = feed();
  take(workload, commit(1), service, policy, resource("address", WEB_0, undefined));
  made.startOver();
  take(bundle, commit(2));
  expect(contents(made.snapshot)).toEqual({ ...NONE, workload: true, bundle: true });
});

test("a new agent that has not committed yet changes nothing", () => {
  const { feed: made, take } = feed();
  take(workload, commit(1));
  const before = made.snapshot;
  made.startOver();
  expect(made.snapshot).toBe(before);
});

test.each([
  ["address", WEB_0, "workload"],
  ["address", WEB_SERVICE, "service"],
  ["authorization", "shop/deny", "policy"],
  ["trust-bundle", "cluster.local", "bundle"],
] as const)("a resource %s %s that cannot be read is told, and its last good version stays", (type, name, kind) => {
  const { feed: made, take, log } = feed();
  take(workload, service, policy, bundle, routes, backendPolicy, commit(1));
  expect(take(resource(type, name, BROKEN), commit(2))).toEqual([false, true]);
  expect(contents(made.snapshot)[kind]).toBe(true);
  expect(log.mock.calls).toEqual([[expect.stringMatching(new RegExp(`^${type} ${name}: .`))]]);
});

test("a port whose routes cannot be read answers every request with an error, until they can be read or are gone", () => {
  const { feed: made, take, log } = feed();
  const called = (target: string) =>
    decideHttpRoute(made.snapshot.routes, requestFacts(target, { service: WEB_SERVICE, port: 80 }), () => 0);
  take(service, resource("routing", WEB_ROUTES, new Uint8Array(0)), commit(1));
  for (const target of ["/", "/any?thing=1"]) expect(called(target)).toMatchObject({ kind: "error", status: 500 });
  expect(log.mock.calls).toEqual([[expect.stringMatching(/^routing shop\/web.*:80: it holds nothing$/)]]);
  take(routes, commit(2));
  expect(called("/")).toMatchObject({ kind: "forward", backend: { service: WEB_SERVICE, port: 81 } });
  take(resource("routing", WEB_ROUTES, undefined), commit(3));
  expect(called("/")).toEqual({ kind: "unrouted" });
});

test("a Service whose policy cannot be read lets nothing out in clear, until it can be read or is gone", () => {
  const { feed: made, take } = feed();
  const tls = () => tlsOf(sharedGet(made.snapshot.backendPolicies, WEB_SERVICE), 443);
  take(resource("routing", WEB_SERVICE, new Uint8Array(0)), commit(1));
  expect(tls()).toMatchObject({ kind: "unusable", reason: expect.stringContaining("it holds nothing") });
  take(backendPolicy, commit(2));
  expect(tls()).toBeUndefined();
  take(resource("routing", WEB_SERVICE, new Uint8Array(0)), resource("routing", WEB_SERVICE, undefined), commit(3));
  expect([tls(), made.snapshot.backendPolicies.size]).toEqual([undefined, 0]);
});

test.each(["", ":", "shop", "shop/web:0", "shop/web:080", "shop/web:1e1", "a/b/c:80"])(
  "a resource that cannot be read and whose name %j is neither a port's nor a Service's is told and changes nothing",
  (name) => {
    const { feed: made, take, log } = feed();
    take(resource("routing", name, BROKEN), commit(1));
    expect([made.snapshot.routes.size, made.snapshot.backendPolicies.size]).toEqual([0, 0]);
    expect(log).toHaveBeenCalledTimes(1);
  },
);

test("a resource under another's name is refused", () => {
  const { feed: made, take, log } = feed();
  take(resource("address", "Kubernetes//Pod/shop/web-1", workloadBytes()), commit(1));
  expect(contents(made.snapshot)).toEqual(NONE);
  expect(log).toHaveBeenCalledTimes(1);
});

test("a broken resource does not hold up the others of its transaction", () => {
  const { feed: made, take } = feed();
  take(resource("authorization", "shop/deny", BROKEN), workload, commit(1));
  expect(contents(made.snapshot)).toEqual({ ...NONE, workload: true });
});

test("credentials are in force at once, without a commit", () => {
  const { feed: made, take } = feed();
  expect(made.credentialsOf(WEB)).toBeUndefined();
  expect(take(credential())).toEqual([true]);
  const first = made.credentialsOf(WEB);
  expect(first?.id).toBe(WEB);
  take(credential());
  expect(made.credentialsOf(WEB)).not.toBe(first);
  expect(made.credentialsOf(authority.id("shop/other"))).toBeUndefined();
});

test("credentials with another's key are told and not taken, and the last good ones stay", () => {
  const { feed: made, take, log } = feed();
  take(credential());
  const before = made.credentialsOf(WEB);
  expect(take(credential("shop/web", exportPrivateKey(generateKeyPair().privateKey)))).toEqual([false]);
  expect(made.credentialsOf(WEB)).toBe(before);
  expect(log).toHaveBeenCalledWith(expect.stringMatching(/^credentials of spiffe:\/\/.*another key/));
});

test("credentials that are gone are given to nobody any more", () => {
  const { feed: made, take } = feed();
  take(credential(), { kind: "credential-gone", identity: WEB });
  expect(made.credentialsOf(WEB)).toBeUndefined();
});
