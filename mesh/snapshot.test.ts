import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Authorization } from "./policies/authorization.ts";
import { type PortKey, portKey } from "./routes/route-table.ts";
import { serviceName } from "./service.ts";
import { sharedGet } from "./shared-map.ts";
import {
  emptySnapshot,
  nextSnapshot,
  policiesOf,
  serviceAt,
  type Snapshot,
  type SnapshotChange,
  workloadAt,
  workloadsOf,
} from "./snapshot.ts";
import { exampleService, exampleWorkload, ip, snapshotWith } from "./testing/examples.ts";
import { http, to } from "./testing/route-decisions.ts";
import type { Workload } from "./workload.ts";

const nothing: SnapshotChange = {
  workloads: new Map(),
  services: new Map(),
  policies: new Map(),
  bundles: new Map(),
  routes: new Map(),
  backendPolicies: new Map(),
};

const withWorkloads = (base: Snapshot, ...workloads: readonly Workload[]): Snapshot =>
  nextSnapshot(base, base.generation + 1, {
    ...nothing,
    workloads: new Map(workloads.map((each) => [each.uid, each])),
  });

const policy = (name: string, scope: Authorization["scope"]): Authorization => {
  const [namespace = "", ownName = ""] = name.split("/");
  return { namespace, name: ownName, scope, action: "deny", dryRun: false, rules: [] };
};

test("a workload is found by each of its addresses, and by its services", () => {
  const web = exampleWorkload();
  const snapshot = withWorkloads(emptySnapshot, web);
  expect(workloadAt(snapshot, ip("10.244.1.10"))).toBe(web);
  expect(workloadAt(snapshot, ip("fd00:10:244:1::a"))).toBe(web);
  expect(workloadsOf(snapshot, "shop/web.shop.svc.cluster.local")).toEqual([web]);
});

test("a workload on the host's network is not found by the host's address", () => {
  const snapshot = withWorkloads(emptySnapshot, exampleWorkload({ hostNetwork: true }));
  expect(workloadAt(snapshot, ip("10.244.1.10"))).toBeUndefined();
});

test("an address that was reused belongs to the newer pod, and the removal of the older does not take it away", () => {
  const old = exampleWorkload({ name: "old", uid: "old" });
  const young = exampleWorkload({ name: "young", uid: "young" });
  const both = withWorkloads(withWorkloads(emptySnapshot, old), young);
  expect(workloadAt(both, ip("10.244.1.10"))).toBe(young);
  const after = nextSnapshot(both, 3, { ...nothing, workloads: new Map([["old", undefined]]) });
  expect(workloadAt(after, ip("10.244.1.10"))).toBe(young);
});

test("of two pods with one address the one that is not ending is found", () => {
  const ending = exampleWorkload({ uid: "ending", health: "unhealthy" });
  const staying = exampleWorkload({ uid: "staying" });
  expect(workloadAt(withWorkloads(emptySnapshot, staying, ending), ip("10.244.1.10"))).toBe(staying);
});

test("of two services with one address the first by name is found, whichever came first", () => {
  const [a, b] = [exampleService({ namespace: "a" }), exampleService({ namespace: "b" })];
  for (const order of [
    [a, b],
    [b, a],
  ]) {
    const services = new Map(order.map((service) => [serviceName(service), service]));
    expect(serviceAt(nextSnapshot(emptySnapshot, 1, { ...nothing, services }), ip("10.96.0.10"))).toBe(a);
  }
});

test("policies of the mesh and of the namespace concern a workload without being named, others only when they are", () => {
  const policies = new Map(
    [
      policy("istio-system/all", "global"),
      policy("shop/here", "namespace"),
      policy("other/there", "namespace"),
      policy("shop/named", "selector"),
      policy("shop/unnamed", "selector"),
    ].map((each) => [`${each.namespace}/${each.name}`, each]),
  );
  const snapshot = nextSnapshot(emptySnapshot, 1, { ...nothing, policies });
  const workload = exampleWorkload({ policies: ["shop/named", "shop/absent"] });
  const found = policiesOf(snapshot, workload);
  expect(found.policies.map(({ name }) => name)).toEqual(["all", "here", "named"]);
  expect(found.missing).toEqual(["shop/absent"]);
});

test("a snapshot is never changed by the next one", () => {
  const first = withWorkloads(emptySnapshot, exampleWorkload());
  nextSnapshot(first, 2, { ...nothing, workloads: new Map([[exampleWorkload().uid, undefined]]) });
  expect(workloadAt(first, ip("10.244.1.10"))).toBeDefined();
  expect(workloadAt(emptySnapshot, ip("10.244.1.10"))).toBeUndefined();
});

test("a change of one port's routes compiles that port and shares all others", () => {
  const portOf = (port: number, backend: string) =>
    ({ service: "shop/echo", port, producer: http({ backendRefs: [to(backend)] }), consumers: new Map() }) as const;
  const key = (port: number): PortKey => portKey("shop/echo", port);
  const ports = Array.from({ length: 1_000 }, (_, port) => [key(port), portOf(port, "v1")] as const);
  const before = snapshotWith({ routes: new Map(ports) });
  const after = snapshotWith({ routes: new Map([[key(7), portOf(7, "v2")]]) }, before);
  const changed = ports.filter(([key]) => sharedGet(after.routes, key) !== sharedGet(before.routes, key));
  expect(changed.map(([key]) => key)).toEqual([key(7)]);
  expect(after.routes.shards.filter((shard, index) => shard !== before.routes.shards[index])).toHaveLength(1);
  expect(sharedGet(after.routes, key(7))?.producer?.entries[0]?.rule.backends).toMatchObject([
    { target: { service: "shop/v2" } },
  ]);
  const gone = snapshotWith({ routes: new Map([[key(7), undefined]]) }, after);
  expect(gone.routes.size).toBe(999);
  expect(snapshotWith({}, gone).routes).toBe(gone.routes);
});

test("any sequence of changes finds the same workloads as a fresh start with what is left", () => {
  const addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(ip);
  const change = fc.record({
    uid: fc.constantFrom("a", "b", "c", "d"),
    addresses: fc.subarray(addresses),
    isGone: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      let snapshot = emptySnapshot;
      const left = new Map<string, Workload>();
      for (const { uid, isGone, addresses } of changes) {
        const workload = isGone ? undefined : exampleWorkload({ uid, addresses });
        if (workload) left.set(uid, workload);
        else left.delete(uid);
        snapshot = nextSnapshot(snapshot, 1, { ...nothing, workloads: new Map([[uid, workload]]) });
      }
      for (const address of addresses) {
        const holders = [...left.values()].filter((workload) => workload.addresses.includes(address));
        const found = workloadAt(snapshot, address);
        expect(found ? holders.includes(found) : holders.length === 0).toBe(true);
      }
      const members = workloadsOf(snapshot, "shop/web.shop.svc.cluster.local");
      expect(members.map(({ uid }) => uid).sort()).toEqual([...left.keys()].sort());
    }),
  );
});
