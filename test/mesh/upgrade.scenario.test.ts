import { afterAll, beforeAll, expect, test } from "vitest";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import { type LoadCounts, onNode, type RequestCounts, serverPod, strict, sum, TalkingPods } from "./talking-pods.ts";

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + strict("shop") + namespace("outside"),
  "pods.yaml": [
    sleeper("shop/client", { annotations: onNode(1) }),
    serverPod("shop/web", 2, { app: "web" }),
    sleeper("outside/stranger", { annotations: onNode(1) }),
  ].join(""),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const soon = { timeout: 30_000 };

const PROGRAMS = ["proxy/supervisor/main.ts", "proxy/agent/main.ts", "proxy/worker/main.ts"] as const;
const processes = () => PROGRAMS.map((program) => mesh.pids(program));

const draining = async (node: number) => (await mesh.status()).nodes[node - 1]?.draining;

test("both nodes are upgraded under load: nobody is refused, no short request fails, and all processes are others", async () => {
  const address = await mesh.address("shop/web");
  const before = processes();
  const held = await mesh.hold("shop/client", address, 8085, 10);
  const endLoad = mesh.clientUntilEnd<LoadCounts>("shop/client", "load", address, 8080, "eof", 4);
  const endRequests = mesh.clientUntilEnd<RequestCounts>("shop/client", "requests", address, 8087, "eof", 2, 50);
  const upgrade = mesh.heddle("upgrade", "--drain-seconds", "120");
  // What is open keeps the old proxy there, and its status is told; it ends when it wants to, before the deadline.
  await expect.poll(async () => (await draining(1))?.connections, soon).toBeGreaterThanOrEqual(10);
  const { findings } = await mesh.status();
  expect(findings.map(({ text }) => text).join()).toMatch(
    /its proxy before the upgrade \(pid \d+\) still has \d+ conn/,
  );
  expect(await held.end()).toEqual({ echoed: 10, survivors: 10 });
  const { code, stdout, stderr } = await upgrade;
  // Among many calls the port of the proxy is the caller's now and then; what is in clear would be reset.
  const { ok, direct: _, ...wrong } = await endLoad();
  expect(wrong).toEqual({ refused: 0, reset: 0, other: 0 });
  expect(ok).toBeGreaterThan(10);
  const { ok: answered, connections: __, ...failed } = await endRequests();
  expect(failed).toEqual({});
  expect(answered).toBeGreaterThan(10);
  expect(`${stdout}${stderr}${code}`).toMatch(
    /^node-1: starting[^]*node-1: done\nnode-2: starting[^]*node-2: done\n0$/,
  );
  const after = processes();
  expect(after.map((pids) => pids.length)).toEqual([2, 2, 2]);
  expect(after.flat().filter((pid) => before.flat().includes(pid))).toEqual([]);
  expect(await mesh.findings()).toEqual([]);
  expect((await mesh.ask("shop/client", address)).pod).toBe("web");
});

test.each([1, 2])(
  "what is still open at the deadline of node %i gets an end and no reset, and its line in the log",
  async (node) => {
    const startedAt = Date.now();
    const address = await mesh.address("shop/web");
    const late = await Promise.all([1, 2, 3].map(() => mesh.outlast("shop/client", address)));
    const { code, stdout } = await mesh.heddle("upgrade", "--node", `node-${node}`, "--drain-seconds", "2");
    expect([stdout, code]).toEqual([expect.stringMatching(/still has 3 connections, for [12] s[^]*done\n$/), 0]);
    expect(await Promise.all(late.map(({ ended }) => ended))).toEqual(["end", "end", "end"]);
    const closed = mesh
      .accessLog(node)
      .filter(({ time, event, reason }) => Number(time) > startedAt && event === "closed" && reason === "drained");
    expect(closed).toHaveLength(3);
    // The counters of the old agent ended with it; of the new one nothing is lost.
    const samples = await mesh.metrics(node, "outside/stranger");
    expect(sum(samples, "heddle_worker_lost_connections_total")).toBe(0);
  },
);

test("where the new proxy does not get ready the old one goes on, and it is said why", async () => {
  const address = await mesh.address("shop/web");
  const before = processes();
  const held = await mesh.hold("shop/client", address, 8085, 5);
  await mesh.signal({ role: "control-plane", signal: "SIGSTOP" });
  try {
    const { code, stderr } = await mesh.heddle("upgrade", "--node", "node-1", "--ready-seconds", "2");
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/node-1 goes on as it was: not ready after 2 s: the agent/),
    ]);
    expect((await mesh.ask("shop/client", address)).pod).toBe("web");
  } finally {
    await mesh.signal({ role: "control-plane", signal: "SIGCONT" });
  }
  expect(await held.end()).toEqual({ echoed: 5, survivors: 5 });
  expect(processes()).toEqual(before);
  await expect.poll(() => mesh.findings(), soon).toEqual([]);
  // What it held back meanwhile is done.
  mesh.write("late.yaml", serverPod("shop/late", 1));
  await expect.poll(async () => (await mesh.pod("shop/late"))?.enrolled, soon).toBe(true);
  mesh.remove("late.yaml");
  await expect.poll(() => mesh.pod("shop/late"), soon).toBeUndefined();
});

test("a pod that is enrolled after an upgrade, and one that goes, are the new proxy's", async () => {
  mesh.write("more.yaml", serverPod("shop/more", 1));
  await expect.poll(async () => (await mesh.pod("shop/more"))?.ready, soon).toBe(true);
  await expect
    .poll(async () => (await mesh.ask("shop/client", await mesh.address("shop/more"))).pod, soon)
    .toBe("more");
  const { code } = await mesh.heddle("upgrade", "--node", "node-1", "--drain-seconds", "2");
  expect(code).toBe(0);
  mesh.remove("more.yaml");
  await expect.poll(() => mesh.pod("shop/more"), soon).toBeUndefined();
});
