import { statSync } from "node:fs";
import { expect, test } from "vitest";
import type { RoutesDump } from "#mesh/admin/routes-dump.ts";
import type { Inventory } from "#mesh/admin/inventory.ts";
import { ControlPlane } from "../control-plane.ts";
import { systemClock } from "#mesh/clock.ts";
import { MemorySource } from "../testing/memory-source.ts";
import { memoryLog } from "../testing/memory-log.ts";
import { peerAuthenticationYaml, podYaml, routeYaml, serviceYaml } from "../testing/objects.ts";
import { startControlPlane } from "../testing/running-control-plane.ts";

const OBJECTS = [
  podYaml("shop/web", { ip: "10.0.0.1", account: "web", labels: { app: "web" } }),
  serviceYaml("shop/web", { clusterIP: "10.96.0.1", selector: { app: "web" }, ports: [{ name: "http", port: 80 }] }),
  peerAuthenticationYaml("shop/p", { mtls: { mode: "STRICT" } }),
];

test("the socket of the admin API is its owner's alone", async () => {
  const { settings, admin } = await startControlPlane();
  expect(statSync(settings.adminSocket).mode & 0o777).toBe(0o600);
  expect(await admin.call("GET", "/healthz")).toEqual({ status: 200, body: { status: "ok" } });
});

test("the dump shows what was derived: workloads with their mode, services with their endpoints, policies", async () => {
  const { admin } = await startControlPlane({ source: new MemorySource(...OBJECTS) });
  const { workloads, services, policies } = await admin.dump();
  expect(workloads).toEqual([
    {
      uid: "Kubernetes//Pod/shop/web",
      namespace: "shop",
      name: "web",
      addresses: ["10.0.0.1"],
      node: "node-1",
      identity: "spiffe://cluster.local/ns/shop/sa/web",
      tunnel: "hbone",
      health: "healthy",
      mode: "STRICT",
      services: ["shop/web.shop.svc.cluster.local"],
      policies: ["istio-system/istio_converted_static_strict"],
    },
  ]);
  expect(services).toEqual([
    {
      name: "shop/web.shop.svc.cluster.local",
      addresses: ["10.96.0.1"],
      ports: [{ port: 80, targetPort: 80, protocol: "http1" }],
      endpoints: ["Kubernetes//Pod/shop/web"],
    },
  ]);
  expect(policies).toEqual([{ name: "istio-system/istio_converted_static_strict", scope: "selector", action: "deny" }]);
});

test("the routes are shown at the ports that they hold at, with whom they are for", async () => {
  const route = (name: string) =>
    routeYaml("HTTPRoute", name, {
      parentRefs: [{ group: "", kind: "Service", namespace: "shop", name: "web" }],
      rules: [{ backendRefs: [{ namespace: "shop", name: "web", port: 80 }] }],
    });
  const grpc = routeYaml("GRPCRoute", "zoo/grpc", {
    parentRefs: [{ group: "", kind: "Service", namespace: "shop", name: "web", port: 80 }],
  });
  const source = new MemorySource(...OBJECTS, route("shop/own"), route("client/theirs"), grpc);
  const { admin } = await startControlPlane({ source });
  const { body } = await admin.call<RoutesDump>("GET", "/routes");
  expect(body.ports).toMatchObject([
    {
      namespace: "shop",
      name: "web",
      port: 80,
      sets: [
        { group: "producer", namespace: "shop", kind: "http", routes: [{ name: "own" }] },
        { group: "consumer", namespace: "client", kind: "http", routes: [{ namespace: "client", name: "theirs" }] },
        { group: "consumer", namespace: "zoo", kind: "grpc", routes: [{ name: "grpc", rules: [] }] },
      ],
    },
  ]);
});

test("who waits for the inventory is answered when it changes", async () => {
  const source = new MemorySource(...OBJECTS);
  const { admin } = await startControlPlane({ source });
  const { version } = await admin.inventory();
  const waiting = admin.inventory(`?after=${version}&waitMs=5000`);
  source.put(podYaml("shop/new"));
  const changed = await waiting;
  expect(changed.version).not.toBe(version);
  expect(changed.pods.map(({ name }) => name)).toEqual(["new", "web"]);
});

test("who waits for the inventory is answered when the control plane stops", async () => {
  const { admin, stop } = await startControlPlane();
  const { version } = await admin.inventory();
  const waiting = admin.call<Inventory>("GET", `/inventory?after=${version}&waitMs=60000`).catch(() => "closed");
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  await stop();
  await waiting;
});

test.each([
  ["GET", "/nothing", undefined, 404],
  ["GET", "/inventory?waitMs=-1", undefined, 400],
  ["GET", "/inventory?waitMs=1e9", undefined, 400],
  ["POST", "/join-tokens", {}, 400],
  ["POST", "/join-tokens", { node: "../x" }, 400],
  ["POST", "/join-tokens", { node: "node-1", ttlSeconds: 0 }, 400],
  ["POST", "/join-tokens", { node: "node-1", ttlSeconds: 10 ** 9 }, 400],
  ["POST", "/join-tokens", { node: "x".repeat(20_000) }, 413],
] as const)("%s %s %j is answered with %4$i and a reason", async (method, path, body, status) => {
  const { admin } = await startControlPlane();
  expect(await admin.call(method, path, body)).toEqual({
    status,
    body: { error: expect.stringMatching(/./) as string },
  });
});

test("a join token is told with its end", async () => {
  const { admin } = await startControlPlane();
  const before = Date.now();
  const { body } = await admin.call<{ expiresAt: string }>("POST", "/join-tokens", { node: "node-1", ttlSeconds: 60 });
  expect(Math.abs(Date.parse(body.expiresAt) - before - 60_000)).toBeLessThan(2_000);
});

test("a second control plane on the same socket does not start, and does not touch the first", async () => {
  const { settings, admin } = await startControlPlane();
  const second = await ControlPlane.start(settings, {
    source: new MemorySource(),
    clock: systemClock,
    log: memoryLog(),
  });
  expect(second).toEqual({ ok: false, error: `another process listens on ${settings.adminSocket}; stop it first` });
  expect((await admin.call("GET", "/healthz")).status).toBe(200);
});
