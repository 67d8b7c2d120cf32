import { expect, test } from "vitest";
import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import type { CollectedObject } from "../collect/object-source.ts";
import { MeshModel } from "../derive/mesh-model.ts";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { type Fields, objectMap, podYaml, serviceYaml } from "../testing/objects.ts";
import { inventoryOf } from "./inventory.ts";
import { InventoryFeed } from "./inventory-feed.ts";

const CONTEXT = {
  trustDomain: unwrap(parseTrustDomain("cluster.local")),
  cluster: "Kubernetes",
  rootNamespace: "root",
};

const inventory = (...objects: readonly Fields[]) => {
  const model = new MeshModel(CONTEXT);
  const current = objectMap(...objects);
  model.apply(current);
  return inventoryOf(
    [...current.values()].map((object): CollectedObject => ({ declared: object, current: object })),
    model,
  );
};

test("namespaces are told with their labels", () => {
  const { namespaces } = inventory({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "shop", labels: { a: "1" } },
  });
  expect(namespaces).toEqual([{ name: "shop", labels: { a: "1" } }]);
});

test("a pod's hash changes with what needs a new pod, and not with labels or what was assigned", () => {
  const hash = (fields: Parameters<typeof podYaml>[1]) => inventory(podYaml("shop/web", fields)).pods[0]?.specHash;
  const first = hash({});
  expect(hash({ labels: { a: "1" }, annotations: { b: "2" }, ip: "10.0.0.1", ready: false })).toBe(first);
  expect(hash({ account: "web" })).not.toBe(first);
  expect(hash({ node: "node-2" })).not.toBe(first);
  expect(hash({ ports: { http: 8080 } })).not.toBe(first);
});

test("a service is told with its endpoints, each address by itself", () => {
  const { services } = inventory(
    serviceYaml("shop/web", {
      clusterIP: "10.96.0.1",
      selector: { app: "web" },
      ports: [{ port: 80, targetPort: 8080 }],
    }),
    podYaml("shop/web", { ips: ["10.0.0.1", "fd00::1"], labels: { app: "web" } }),
    podYaml("shop/slow", { ip: "10.0.0.2", labels: { app: "web" }, ready: false }),
  );
  const ports = [{ port: 80, targetPort: 8080 }];
  expect(services).toEqual([
    {
      namespace: "shop",
      name: "web",
      hostname: "web.shop.svc.cluster.local",
      headless: false,
      ipFamilies: [],
      wantsAddress: true,
      addresses: ["10.96.0.1"],
      ports: [{ port: 80, transport: "TCP" }],
      endpoints: [
        { address: "10.0.0.2", ready: false, ports },
        { address: "10.0.0.1", ready: true, ports },
        { address: "fd00::1", ready: true, ports },
      ],
    },
  ]);
});

test.each([
  [{ clusterIP: "None" }, true, false],
  [{ type: "ExternalName" }, false, false],
  [{}, false, true],
])("a service %j: headless %s, wants an address %s", (spec, headless, wantsAddress) => {
  expect(inventory(serviceYaml("shop/web", { ...spec, ports: [{ port: 80 }] })).services).toMatchObject([
    { headless, wantsAddress },
  ]);
});

test("the version tells contents apart, and is the same for the same", () => {
  const { version } = inventory(podYaml("shop/a"), podYaml("shop/b"));
  expect(inventory(podYaml("shop/b"), podYaml("shop/a")).version).toBe(version);
  expect(inventory(podYaml("shop/a")).version).not.toBe(version);
});

const feedOf = () => {
  let version = "1";
  const clock = new ManualClock();
  const feed = new InventoryFeed(() => ({ version, namespaces: [], pods: [], services: [] }), clock);
  return {
    feed,
    clock,
    change: (next: string) => {
      version = next;
      feed.changed();
    },
  };
};

test("who has another version is answered at once", async () => {
  const { feed } = feedOf();
  expect((await feed.next("0", 60_000)).version).toBe("1");
});

test("who has this version waits for the next, through changes that change nothing", async () => {
  const { feed, change } = feedOf();
  let answered = "";
  const waiting = feed.next("1", 60_000).then(({ version }) => (answered = version));
  change("1");
  await Promise.resolve();
  expect(answered).toBe("");
  change("2");
  await waiting;
  expect(answered).toBe("2");
});

test("who waits too long gets what there is", async () => {
  const { feed, clock } = feedOf();
  const waiting = feed.next("1", 1_000);
  clock.advance(1_000);
  expect((await waiting).version).toBe("1");
});

test("who waits at the end, or beside many others, is answered", async () => {
  const { feed } = feedOf();
  const waiting = Array.from({ length: 16 }, async () => feed.next("1", 60_000));
  expect((await feed.next("1", 60_000)).version).toBe("1");
  feed.stop();
  expect((await Promise.all(waiting)).length).toBe(16);
});
