import { expect, test } from "vitest";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, ROUTING_TYPE, TRUST_BUNDLE_TYPE } from "#api/type-urls.ts";
import type { MeshObject } from "#mesh/objects/mesh-object.ts";
import type { Authorization } from "#mesh/policies/authorization.ts";
import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import { MeshModel } from "../derive/mesh-model.ts";
import {
  type Fields,
  objectMap,
  peerAuthenticationYaml,
  podYaml,
  routeYaml,
  serviceYaml,
  trafficPolicyYaml,
} from "../testing/objects.ts";
import { Catalog } from "./catalog.ts";

const trustDomain = unwrap(parseTrustDomain("cluster.local"));

const published = (...objects: readonly Fields[]) => {
  const catalog = new Catalog();
  const model = new MeshModel({ trustDomain, cluster: "Kubernetes", rootNamespace: "istio-system" });
  const change = (changes: ReadonlyMap<string, MeshObject | undefined>) => catalog.apply(model.apply(changes));
  const apply = (changes: ReadonlyMap<string, MeshObject | undefined>) => [...change(changes).addresses];
  apply(objectMap(...objects));
  return { catalog, apply, change };
};

const names = (catalog: Catalog, type: string, node: string) => [...catalog.view(type, node).names()].sort();

const PODS = [
  podYaml("shop/web", { ip: "10.0.0.1", node: "node-1" }),
  podYaml("bank/vault", { ip: "10.0.0.2", node: "node-2" }),
];
const STRICT = { mtls: { mode: "STRICT" } };

test("workloads and services go to every node", () => {
  const { catalog } = published(...PODS, serviceYaml("shop/web", { ports: [{ port: 80 }] }));
  const all = ["Kubernetes//Pod/bank/vault", "Kubernetes//Pod/shop/web", "shop/web.shop.svc.cluster.local"];
  expect(names(catalog, ADDRESS_TYPE, "node-1")).toEqual(all);
  expect(names(catalog, ADDRESS_TYPE, "node-9")).toEqual(all);
});

test("a policy goes to the nodes that have a workload which names it, and follows the workload", () => {
  const { catalog, apply } = published(...PODS, peerAuthenticationYaml("shop/p", STRICT));
  const holders = () => ["node-1", "node-2"].filter((node) => names(catalog, AUTHORIZATION_TYPE, node).length > 0);
  expect(holders()).toEqual(["node-1"]);
  apply(objectMap(podYaml("shop/web", { ip: "10.0.0.1", node: "node-2" })));
  expect(holders()).toEqual(["node-2"]);
});

const policy = (scope: Authorization["scope"]): Authorization => ({
  namespace: "shop",
  name: "p",
  scope,
  action: "deny",
  dryRun: false,
  rules: [],
});

test.each([
  ["global", ["node-1", "node-2", "node-3"]],
  ["namespace", ["node-1"]],
  ["selector", []],
] as const)("a policy of scope %s that nobody names goes to %j", (scope, nodes) => {
  const { catalog } = published(...PODS);
  const none = { workloads: new Map(), services: new Map(), routes: new Map(), backends: new Map() };
  catalog.apply({ ...none, policies: new Map([["shop/p", policy(scope)]]) });
  expect(["node-1", "node-2", "node-3"].filter((node) => names(catalog, AUTHORIZATION_TYPE, node).length > 0)).toEqual(
    nodes,
  );
});

test("a policy that is gone goes to nobody", () => {
  const { catalog } = published(...PODS);
  const none = { workloads: new Map(), services: new Map(), routes: new Map(), backends: new Map() };
  catalog.apply({ ...none, policies: new Map([["shop/p", policy("global")]]) });
  catalog.apply({ ...none, policies: new Map([["shop/p", undefined]]) });
  expect(names(catalog, AUTHORIZATION_TYPE, "node-1")).toEqual([]);
});

const WEB = serviceYaml("shop/web", {
  clusterIP: "10.96.0.1",
  ports: [
    { port: 80, name: "a" },
    { port: 81, name: "b" },
  ],
});
const route = (...ports: readonly number[]) =>
  routeYaml("HTTPRoute", "shop/r", {
    parentRefs: ports.map((port) => ({ group: "", kind: "Service", name: "web", port })),
    rules: [{ backendRefs: [{ name: "web", port: 80 }] }],
  });
const [AT_80, AT_81] = ["shop/web.shop.svc.cluster.local:80", "shop/web.shop.svc.cluster.local:81"];

test("the routes of each port go to every node as a resource of their own, and are gone with their port", () => {
  const { catalog, change } = published(WEB, route(80, 81));
  for (const node of ["node-1", "node-9"]) expect(names(catalog, ROUTING_TYPE, node)).toEqual([AT_80, AT_81]);
  expect([...change(objectMap(route(81))).routing]).toEqual([AT_80]);
  expect(names(catalog, ROUTING_TYPE, "node-1")).toEqual([AT_81]);
  expect([...change(new Map([["HTTPRoute shop/r", undefined]])).routing]).toEqual([AT_81]);
  expect(names(catalog, ROUTING_TYPE, "node-1")).toEqual([]);
});

test("the policy of a Service goes to every node beside its routes, and each is gone by itself", () => {
  const service = "shop/web.shop.svc.cluster.local";
  const { catalog, change } = published(WEB, route(80), trafficPolicyYaml("shop/p", ["web"]));
  expect(names(catalog, ROUTING_TYPE, "node-1")).toEqual([service, AT_80]);
  expect([...change(new Map([["HTTPRoute shop/r", undefined]])).routing]).toEqual([AT_80]);
  expect(names(catalog, ROUTING_TYPE, "node-1")).toEqual([service]);
  expect([...change(new Map([["XBackendTrafficPolicy shop/p", undefined]])).routing]).toEqual([service]);
  expect(names(catalog, ROUTING_TYPE, "node-1")).toEqual([]);
});

test("routes that were derived anew and are the same are no change; what a node should have depends on them", () => {
  const { catalog, change } = published(WEB, route(80));
  const wanted = catalog.wanted("node-1");
  expect(change(objectMap(WEB, route(80))).routing.size).toBe(0);
  expect(catalog.wanted("node-1")).toBe(wanted);
  change(objectMap(route(81)));
  expect(catalog.wanted("node-1")).not.toBe(wanted);
  change(objectMap(route(80)));
  expect(catalog.wanted("node-1")).toBe(wanted);
});

test("the trust bundle goes to every node", () => {
  const { catalog } = published();
  expect(names(catalog, TRUST_BUNDLE_TYPE, "node-1")).toEqual([]);
  catalog.setBundle({ trustDomain, roots: [Uint8Array.of(1)] });
  expect(names(catalog, TRUST_BUNDLE_TYPE, "node-1")).toEqual(["cluster.local"]);
});

test("an address is found by its name and by its alias, a service with everybody behind it", () => {
  const { catalog } = published(
    serviceYaml("shop/web", { clusterIP: "10.96.0.1", selector: { app: "web" }, ports: [{ port: 80 }] }),
    podYaml("shop/web", { ip: "10.0.0.1", labels: { app: "web" } }),
  );
  const view = catalog.view(ADDRESS_TYPE, "node-1");
  const service = "shop/web.shop.svc.cluster.local";
  expect([view.find(service), view.find("/10.96.0.1"), view.find("/10.0.0.1"), view.find("/10.0.0.9")]).toEqual([
    [service],
    [service],
    ["Kubernetes//Pod/shop/web"],
    [],
  ]);
  expect([view.behind(service), view.behind("Kubernetes//Pod/shop/web")]).toEqual([["Kubernetes//Pod/shop/web"], []]);
});

test("what a node should have has one version, whatever the order it came in, and another after any change", () => {
  const [first, second] = [published(...PODS), published(...PODS.toReversed())];
  const wanted = first.catalog.wanted("node-1");
  expect(second.catalog.wanted("node-1")).toBe(wanted);
  first.apply(objectMap(podYaml("bank/vault", { ip: "10.0.0.2", node: "node-2", ready: false })));
  expect(first.catalog.wanted("node-1")).not.toBe(wanted);
  first.apply(objectMap(...PODS));
  expect(first.catalog.wanted("node-1")).toBe(wanted);
  first.catalog.setBundle({ trustDomain, roots: [Uint8Array.of(1)] });
  expect(first.catalog.wanted("node-1")).not.toBe(wanted);
});

test("a policy for other nodes does not change what a node should have", () => {
  const { catalog, apply } = published(...PODS);
  const wanted = catalog.wanted("node-2");
  const selector = { matchLabels: { app: "nobody" } };
  apply(objectMap(peerAuthenticationYaml("shop/q", { selector, portLevelMtls: { 80: { mode: "STRICT" } } })));
  expect(catalog.wanted("node-2")).toBe(wanted);
});

test("what is derived anew and the same is no change", () => {
  const { apply } = published(...PODS);
  expect(apply(objectMap(...PODS))).toEqual([]);
  expect(apply(new Map([["Pod shop/web", undefined]]))).toEqual(["Kubernetes//Pod/shop/web"]);
});
