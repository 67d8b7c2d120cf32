import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import type { RouteCondition } from "#mesh/admin/control-plane-status.ts";
import { TestMesh } from "./test-mesh.ts";
import { AMBIENT, namespace, service } from "./yaml.ts";

const mesh = new TestMesh({
  "namespaces.yaml": namespace("shop", AMBIENT),
  "service.yaml": service("shop/web", { selector: { app: "web" }, ports: [{ port: 80 }] }),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const route = (generation: number, port: number): string =>
  JSON.stringify({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { namespace: "shop", name: "web", generation },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: "web", port: 80 }],
      rules: [{ backendRefs: [{ name: "web", port }] }],
    },
  });

const file = join(mesh.state, "status/HTTPRoute/shop/web.yaml");

type Condition = RouteCondition & { readonly lastTransitionTime: string };

interface Shown {
  readonly metadata: object;
  readonly status: {
    readonly parents: readonly { readonly parentRef: object; readonly conditions: readonly Condition[] }[];
  };
}

const shown = (): Shown => parse(readFileSync(file, "utf8")) as Shown;
const conditions = (): readonly Condition[] => (existsSync(file) ? (shown().status.parents[0]?.conditions ?? []) : []);
const reasons = () => conditions().map(({ reason, observedGeneration }) => [reason, observedGeneration]);
const soon = { timeout: 30_000 };

test("what became of a route can be waited for in the folder of statuses, through changes and a restart, until it goes", async () => {
  mesh.write("route.yaml", route(1, 81));
  const unresolved = [
    ["Accepted", 1],
    ["BackendNotFound", 1],
  ];
  await expect.poll(reasons, soon).toEqual(unresolved);
  const [accepted] = conditions();
  expect(shown().metadata).toEqual({ name: "web", namespace: "shop", generation: 1 });
  expect(shown().status.parents.map(({ parentRef }) => parentRef)).toEqual([
    { group: "", kind: "Service", name: "web", port: 80 },
  ]);

  // Times are in whole seconds.
  const isLater = () => Date.now() > Date.parse(accepted?.lastTransitionTime ?? "") + 1_000;
  await expect.poll(isLater, soon).toBe(true);

  expect(await mesh.signal({ role: "control-plane", signal: "SIGKILL" })).toBe(200);
  mesh.write("route.yaml", route(2, 80));
  const good = [
    ["Accepted", 2],
    ["ResolvedRefs", 2],
  ];
  await expect.poll(reasons, soon).toEqual(good);
  expect(conditions()[0]?.lastTransitionTime).toBe(accepted?.lastTransitionTime);

  mesh.remove("route.yaml");
  await expect.poll(() => existsSync(file), soon).toBe(false);
  const { controlPlane } = await mesh.status();
  expect(controlPlane.statusFolder).toEqual({ path: join(mesh.state, "status") });
});

test("a mesh that comes up shows nothing of an earlier run", async () => {
  mesh.write("route.yaml", route(3, 80));
  await expect.poll(() => existsSync(file), soon).toBe(true);
  await mesh.heddle("down");
  mesh.remove("route.yaml");
  await mesh.upAndReady();
  expect(existsSync(file)).toBe(false);
});
