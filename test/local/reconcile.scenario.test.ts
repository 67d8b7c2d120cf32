import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestMesh } from "./test-mesh.ts";
import { AMBIENT, namespace, pod, sleeper } from "./yaml.ts";

const mesh = new TestMesh(
  {
    "namespace.yaml": namespace("shop", AMBIENT),
    "web.yaml": sleeper("shop/web-0", { annotations: { "local.heddle.dev/node": "1" } }),
    "other.yaml": sleeper("shop/other", { annotations: { "local.heddle.dev/node": "node-2" } }),
  },
  // The order in which it is told things is what is tested, and that it may refuse.
  { supervisor: "test/local/stand-ins/supervisor.ts" },
);

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const soon = { timeout: 30_000 };

const assigned = (name: string): { readonly metadata: { readonly annotations: object } } | undefined => {
  try {
    return JSON.parse(readFileSync(join(mesh.state, "assigned", `Pod.shop.${name}.json`), "utf8"));
  } catch {
    return undefined;
  }
};

/** What the supervisor of a node was told, without the pods of earlier tests. */
const toldTo = (node: number): readonly string[] =>
  readFileSync(join(mesh.state, `logs/node-${node}.log`), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { readonly kind: string; readonly pod?: string; readonly uid: string })
    .map(({ kind, pod }) => `${kind} ${pod ?? ""}`.trim());

test("pods are where they want to be, and announced once their traffic is captured", async () => {
  expect(await mesh.pod("shop/web-0")).toMatchObject({ node: "node-1", enrolled: true });
  expect(await mesh.pod("shop/other")).toMatchObject({ node: "node-2", enrolled: true });
  expect(assigned("web-0")).toMatchObject({
    metadata: { annotations: { "ambient.istio.io/redirection": "enabled" } },
    spec: { nodeName: "node-1" },
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
  });
});

test("a pod whose declaration changes is replaced, and keeps its address", async () => {
  const before = await mesh.pod("shop/web-0");
  mesh.write(
    "web.yaml",
    pod("shop/web-0", ["sh", "-c", "echo second; exec sleep infinity"], {
      annotations: { "local.heddle.dev/node": "1" },
    }),
  );
  await expect.poll(async () => (await mesh.heddle("logs", "shop/web-0")).stdout, soon).toBe("second\n");
  const after = await mesh.pod("shop/web-0");
  expect(after?.addresses).toEqual(before?.addresses);
  expect(after?.uid).not.toBe(before?.uid);

  expect(toldTo(1).slice(-3)).toEqual(["drain", "withdraw", "enrol web-0"]);
});

test("a pod that is no longer declared ends, and nothing of it stays", async () => {
  mesh.write("gone.yaml", sleeper("shop/gone"));
  await expect.poll(async () => (await mesh.pod("shop/gone"))?.ready, soon).toBe(true);
  mesh.remove("gone.yaml");
  await expect.poll(() => mesh.pod("shop/gone"), soon).toBeUndefined();
  expect(assigned("gone")).toBeUndefined();
  expect((await mesh.heddle("status")).code).toBe(0);
});

test("a pod leaves the mesh and joins it again while it runs", async () => {
  const before = await mesh.pod("shop/web-0");
  mesh.write("namespace.yaml", namespace("shop"));
  await expect.poll(async () => (await mesh.pod("shop/web-0"))?.step, soon).toBe("release");
  // Others must know before the tunnels end: the announcement goes first.
  expect(assigned("web-0")?.metadata.annotations).toEqual({});
  await expect.poll(async () => (await mesh.pod("shop/web-0"))?.step, soon).toBe("rest");
  expect(toldTo(1).slice(-2)).toEqual(["drain", "withdraw"]);
  mesh.write("namespace.yaml", namespace("shop", AMBIENT));
  await expect.poll(async () => (await mesh.pod("shop/web-0"))?.enrolled, soon).toBe(true);
  const after = await mesh.pod("shop/web-0");
  expect([after?.uid, after?.containers]).toEqual([before?.uid, before?.containers]);
});

test("a supervisor that dies is back soon, and told of its pods, which run on", async () => {
  const before = await mesh.pod("shop/web-0");
  const startedAt = Date.now();
  await mesh.signal({ node: "node-1", role: "supervisor", signal: "SIGKILL" });
  await expect.poll(async () => (await mesh.status()).nodes[0]?.supervisor, soon).toMatchObject({ restarts: 1 });
  await expect.poll(async () => (await mesh.heddle("status")).code, soon).toBe(0);
  expect(Date.now() - startedAt).toBeLessThan(20_000);
  expect(toldTo(1).slice(-2)).toEqual(["enrol web-0", "complete"]);
  expect((await mesh.pod("shop/web-0"))?.uid).toBe(before?.uid);
});

test("a control plane that dies is back soon, and what it had declared goes on", async () => {
  const before = await mesh.pod("shop/web-0");
  await mesh.signal({ role: "control-plane", signal: "SIGKILL" });
  await expect.poll(async () => (await mesh.status()).controlPlane.process, soon).toMatchObject({ restarts: 1 });
  await expect.poll(async () => (await mesh.heddle("status")).code, soon).toBe(0);
  expect(await mesh.pod("shop/web-0")).toEqual(before);
  mesh.write("new.yaml", sleeper("shop/new"));
  await expect.poll(async () => (await mesh.pod("shop/new"))?.ready, soon).toBe(true);
});

test("a control plane that hangs stops no pod", async () => {
  await mesh.signal({ role: "control-plane", signal: "SIGSTOP" });
  const { stdout, code } = await mesh.heddle("status");
  expect([code, stdout]).toEqual([
    3,
    expect.stringContaining("control plane: does not answer: it does not answer in time"),
  ]);
  expect(await mesh.exec("shop/web-0", "hostname")).toBe("web-0");
  await mesh.signal({ role: "control-plane", signal: "SIGCONT" });
  await expect.poll(async () => (await mesh.heddle("status")).code, soon).toBe(0);
});

test("a pod that the node's proxy refuses does not run, says why, and keeps no other from running", async () => {
  mesh.write("refused.yaml", sleeper("shop/refused") + sleeper("shop/after"));
  await expect.poll(async () => (await mesh.pod("shop/after"))?.ready, soon).toBe(true);
  expect((await mesh.heddle("status")).stdout).toContain(
    "problem  shop/refused: the node's proxy did not take it: this stand-in refuses it",
  );
  expect(await mesh.exec("shop/refused", "true")).toContain("pod shop/refused is not running");
  mesh.remove("refused.yaml");
  await expect.poll(() => mesh.pod("shop/refused"), soon).toBeUndefined();
});

test("a pod that is to be on a node that does not exist says so", async () => {
  mesh.write("lost.yaml", sleeper("shop/lost", { spec: { nodeName: "node-9" } }));
  await expect
    .poll(async () => (await mesh.heddle("status")).stdout, soon)
    .toContain('problem  shop/lost: spec.nodeName: there is no node "node-9", only node-1, node-2');
  mesh.remove("lost.yaml");
  await expect.poll(() => mesh.pod("shop/lost"), soon).toBeUndefined();
});

test("a pod that is stopped has the time it asks for", async () => {
  const slow = "trap 'sleep 0.7; echo finished; exit' TERM; echo started; while :; do sleep 0.05; done";
  mesh.write("slow.yaml", pod("shop/slow", ["sh", "-c", slow], { spec: { terminationGracePeriodSeconds: 5 } }));
  await expect.poll(async () => (await mesh.heddle("logs", "shop/slow")).stdout, soon).toBe("started\n");
  mesh.remove("slow.yaml");
  await expect.poll(() => mesh.pod("shop/slow"), soon).toBeUndefined();
  expect((await mesh.heddle("logs", "shop/slow")).stdout).toBe("started\nfinished\n");
});

test("a pod that does not end when it is asked to is ended", async () => {
  const stubborn = "trap '' TERM; echo started; while :; do sleep 0.05; done";
  mesh.write("slow.yaml", pod("shop/stubborn", ["sh", "-c", stubborn], { spec: { terminationGracePeriodSeconds: 1 } }));
  await expect.poll(async () => (await mesh.heddle("logs", "shop/stubborn")).stdout, soon).toBe("started\n");
  mesh.remove("slow.yaml");
  await expect.poll(() => mesh.pod("shop/stubborn"), soon).toBeUndefined();
});
