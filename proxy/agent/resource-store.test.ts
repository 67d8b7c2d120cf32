import * as fc from "fast-check";
import { expect, test } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import type { AgentOrder, ResourceKind } from "../channel/agent-order.ts";
import { MAX_RESOURCE_BYTES, MAX_RESOURCE_NAME } from "../channel/frame.ts";
import {
  bundleBytes,
  policyBytes,
  routesBytes,
  serviceBytes,
  WEB_0,
  WEB_ROUTES,
  WEB_SERVICE,
  workloadBytes,
} from "../testing/resource-bytes.ts";
import { type ReceivedResource, RESOURCE_TYPES, ResourceStore } from "./resource-store.ts";

const authority = testAuthority();
const KINDS: readonly ResourceKind[] = ["trust-bundle", "address", "authorization", "routing"];

const address = (changes: Partial<ReceivedResource> = {}): ReceivedResource => ({
  name: WEB_0,
  version: "1",
  bytes: workloadBytes(),
  ...changes,
});
const update = (resources: readonly ReceivedResource[], removed: readonly string[] = []) =>
  ({ kind: "address", resources, removed }) as const;
const order = (name: string, bytes: Uint8Array | undefined): AgentOrder => ({
  kind: "resource",
  resource: "address",
  name,
  bytes,
});
const garbage = Uint8Array.of(255, 255, 255);

test("the subscribed types are four, and the bundle that verifies the rest comes first", () => {
  expect([...RESOURCE_TYPES.values()]).toEqual(KINDS);
});

test("a resource is held with its version and handed on as it came", () => {
  const store = new ResourceStore();
  const bytes = workloadBytes();
  expect(store.apply(update([address({ bytes })]))).toEqual({ orders: [order(WEB_0, bytes)], refused: [] });
  expect(store.resources("address").get(WEB_0)).toEqual({ version: "1", bytes });
  expect(store.versions("address")).toEqual({ [WEB_0]: "1" });
  expect(store.counts).toEqual({ address: 1, authorization: 0, "trust-bundle": 0, routing: 0 });
});

test("a delta leaves alone what it does not name", () => {
  const store = new ResourceStore();
  store.apply(update([address(), address({ name: WEB_SERVICE, bytes: serviceBytes() })]));
  const changed = workloadBytes({ serviceAccount: "other" });
  expect(store.apply(update([address({ version: "2", bytes: changed })])).orders).toEqual([order(WEB_0, changed)]);
  expect(store.versions("address")).toEqual({ [WEB_0]: "2", [WEB_SERVICE]: "1" });
});

test("a version that is held already changes nothing for the workers; no version at all is always new", () => {
  const store = new ResourceStore();
  store.apply(update([address()]));
  expect(store.apply(update([address()])).orders).toEqual([]);
  store.apply(update([address({ version: "" })]));
  expect(store.apply(update([address({ version: "" })])).orders.length).toBe(1);
});

test("what is removed is gone for store and workers; what was never held is nobody's business", () => {
  const store = new ResourceStore();
  store.apply(update([address()]));
  expect(store.apply(update([], [WEB_0, "never/there"])).orders).toEqual([order(WEB_0, undefined)]);
  expect([store.counts.address, store.versions("address")]).toEqual([0, {}]);
});

test("kinds do not share names: removing one leaves the other", () => {
  const store = new ResourceStore();
  store.apply({
    kind: "authorization",
    resources: [{ name: "shop/deny", version: "1", bytes: policyBytes() }],
    removed: [],
  });
  store.apply(update([], ["shop/deny"]));
  expect(store.counts.authorization).toBe(1);
});

test.each<[string, Partial<ReceivedResource>, RegExp]>([
  ["cannot be decoded", { bytes: garbage }, /not an istio\.workload\.Address/],
  ["is of another type", { bytes: undefined }, /another type/],
  ["has another name than it says", { name: "Kubernetes//Pod/shop/other" }, /is not the resource's name/],
  ["has an endless name", { name: "n".repeat(MAX_RESOURCE_NAME + 1) }, /its name has 4097 characters/],
  ["is too large for a worker", { bytes: new Uint8Array(MAX_RESOURCE_BYTES + 1) }, /are more than/],
])("a resource that %s is refused alone, by its name, and the rest of the response is taken", (_, changes, reason) => {
  const store = new ResourceStore();
  const good = address({ name: WEB_SERVICE, bytes: serviceBytes() });
  const { orders, refused } = store.apply(update([address(changes), good]));
  expect(orders).toEqual([order(WEB_SERVICE, good.bytes)]);
  expect(refused.length).toBe(1);
  expect(refused[0]).toMatch(reason);
  expect(refused[0]?.startsWith(`${(changes.name ?? WEB_0).slice(0, 256)}: `)).toBe(true);
  expect(store.versions("address")).toEqual({ [WEB_SERVICE]: "1" });
});

test("a version that was refused leaves the last good one in force, and is not claimed to be held", () => {
  const store = new ResourceStore();
  const good = workloadBytes();
  store.apply(update([address({ bytes: good })]));
  const { orders } = store.apply(update([address({ version: "2", bytes: garbage })]));
  expect(orders).toEqual([]);
  expect(store.resources("address").get(WEB_0)).toEqual({ version: "1", bytes: good });
  expect(store.versions("address")).toEqual({ [WEB_0]: "1" });
});

const routing = (bytes: Uint8Array, version = "1", name = WEB_ROUTES) =>
  ({ kind: "routing", resources: [{ name, version, bytes }], removed: [] }) as const;
const routingOrder = (bytes: Uint8Array | undefined): AgentOrder => ({
  kind: "resource",
  resource: "routing",
  name: WEB_ROUTES,
  bytes,
});
const NOT_READABLE = routingOrder(new Uint8Array(0));

test("routes that never could be read are told to the workers as such, and stay so for those that start later", () => {
  const store = new ResourceStore();
  const { orders, refused } = store.apply(routing(garbage));
  expect([orders, refused.length]).toEqual([[NOT_READABLE], 1]);
  expect(store.snapshotOrders()).toEqual([NOT_READABLE, { kind: "commit", generation: 1, complete: true }]);
  expect([store.versions("routing"), store.counts.routing]).toEqual([{}, 0]);
  store.forgetRefused();
  expect(store.snapshotOrders()).toContainEqual(NOT_READABLE);
});

test("routes that can be read take the place of those that could not, and unreadable ones can be removed", () => {
  const store = new ResourceStore();
  store.apply(routing(garbage));
  expect(store.apply(routing(routesBytes())).orders).toEqual([routingOrder(routesBytes())]);
  expect(store.snapshotOrders()).not.toContainEqual(NOT_READABLE);
  const other = new ResourceStore();
  other.apply(routing(garbage));
  expect(other.apply({ kind: "routing", resources: [], removed: [WEB_ROUTES] }).orders).toEqual([
    routingOrder(undefined),
  ]);
  expect(other.snapshotOrders()).toEqual([{ kind: "commit", generation: 2, complete: true }]);
});

test("routes that were good stay in force when their next version cannot be read", () => {
  const store = new ResourceStore();
  store.apply(routing(routesBytes()));
  expect(store.apply(routing(garbage, "2"))).toMatchObject({ orders: [], refused: [expect.anything()] });
  expect(store.snapshotOrders()).toContainEqual(routingOrder(routesBytes()));
  expect(store.versions("routing")).toEqual({ [WEB_ROUTES]: "1" });
});

test("a bad bundle leaves the last good one trusted", () => {
  const store = new ResourceStore();
  const bundle = (version: string, bytes: Uint8Array) =>
    store.apply({ kind: "trust-bundle", resources: [{ name: "cluster.local", version, bytes }], removed: [] });
  bundle("1", bundleBytes(authority.bundle.roots));
  expect(bundle("2", bundleBytes([garbage])).refused.length).toBe(1);
  expect(bundle("3", bundleBytes([])).refused.length).toBe(1);
  expect(store.bundle("cluster.local")?.roots.map((root) => [...root])).toEqual([
    [...(authority.bundle.roots[0] ?? [])],
  ]);
});

test("a bundle that is removed is trusted no more", () => {
  const store = new ResourceStore();
  const resources = [{ name: "cluster.local", version: "1", bytes: bundleBytes(authority.bundle.roots) }];
  store.apply({ kind: "trust-bundle", resources, removed: [] });
  expect(store.bundle("cluster.local")).toBeDefined();
  store.apply({ kind: "trust-bundle", resources: [], removed: ["cluster.local"] });
  expect(store.bundle("cluster.local")).toBeUndefined();
});

test("everything is held unless something was refused and is neither replaced nor removed since", () => {
  const bad = address({ version: "2", bytes: garbage });
  const cures: readonly ((store: ResourceStore) => void)[] = [
    (store) => store.apply(update([address({ version: "3" })])),
    (store) => store.apply(update([address()])),
    (store) => store.apply(update([], [WEB_0])),
    (store) => store.forgetRefused(),
  ];
  for (const cure of cures) {
    const store = new ResourceStore();
    store.apply(update([address()]));
    expect(store.isComplete).toBe(true);
    store.apply(update([bad]));
    expect(store.isComplete).toBe(false);
    store.apply(update([address({ name: WEB_SERVICE, bytes: serviceBytes() })]));
    expect(store.isComplete).toBe(false);
    cure(store);
    expect(store.isComplete).toBe(true);
  }
});

test("the store is synced when each type has come once, in any order, empty or refused as it may be", () => {
  const orders = [KINDS, KINDS.toReversed()];
  for (const kinds of orders) {
    const store = new ResourceStore();
    for (const kind of kinds) {
      expect(store.isSynced).toBe(false);
      store.apply({ kind, resources: [], removed: [] });
      store.apply({ kind, resources: [], removed: [] });
    }
    expect(store.isSynced).toBe(true);
  }
});

test("every response is a generation of its own, also one that changes nothing: the workers acknowledge by it", () => {
  const store = new ResourceStore();
  expect(store.generation).toBe(0);
  store.apply(update([]));
  store.apply(update([address({ bytes: garbage })]));
  expect(store.generation).toBe(2);
});

test("a snapshot is all that is held, in one complete transaction of the present generation", () => {
  const store = new ResourceStore();
  const bundle = bundleBytes(authority.bundle.roots);
  store.apply(update([address({ name: WEB_SERVICE, bytes: serviceBytes() }), address()]));
  store.apply({
    kind: "trust-bundle",
    resources: [{ name: "cluster.local", version: "1", bytes: bundle }],
    removed: [],
  });
  store.apply(update([], [WEB_SERVICE]));
  expect(store.snapshotOrders()).toEqual([
    order(WEB_0, workloadBytes()),
    { kind: "resource", resource: "trust-bundle", name: "cluster.local", bytes: bundle },
    { kind: "commit", generation: 3, complete: true },
  ]);
});

/** What a worker has that follows the orders. */
const follow = (orders: readonly AgentOrder[], known = new Map<string, string>()): ReadonlyMap<string, string> => {
  for (const each of orders) {
    if (each.kind !== "resource") continue;
    if (each.bytes === undefined) known.delete(each.name);
    else known.set(each.name, Buffer.from(each.bytes).toString("hex"));
  }
  return known;
};

test("a worker that follows every delta has what one has that starts with the snapshot", () => {
  const names = ["a", "b", "c"].map((name) => `Kubernetes//Pod/shop/${name}`);
  const resource = fc.record({
    name: fc.constantFrom(...names),
    version: fc.constantFrom("", "1", "2"),
    isGood: fc.boolean(),
  });
  const response = fc.record({
    resources: fc.array(resource, { maxLength: 4 }),
    removed: fc.array(fc.constantFrom(...names), { maxLength: 2 }),
  });
  const property = fc.property(fc.array(response, { maxLength: 10 }), (responses) => {
    const store = new ResourceStore();
    const known = new Map<string, string>();
    for (const { resources, removed } of responses) {
      const received = resources.map(({ name, version, isGood }) => ({
        name,
        version,
        bytes: isGood ? workloadBytes({ uid: name, name: name.slice(-1), canonicalRevision: version }) : garbage,
      }));
      const { orders } = store.apply({ kind: "address", resources: received, removed });
      follow(orders, known);
      expect(known).toEqual(follow(store.snapshotOrders()));
      expect(Object.keys(store.versions("address")).sort()).toEqual([...known.keys()].sort());
    }
  });
  fc.assert(property);
});

test("no bytes of the control plane's make the store throw", () => {
  const property = fc.property(
    fc.constantFrom(...KINDS),
    fc.uint8Array({ maxLength: 80 }),
    fc.string(),
    (kind, bytes, name) => {
      const store = new ResourceStore();
      store.apply({ kind, resources: [{ name, version: "1", bytes }], removed: [name] });
      expect(store.counts[kind]).toBe(0);
    },
  );
  fc.assert(property, { numRuns: 500 });
});
