import { afterAll, beforeAll, expect, test } from "vitest";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import { type LoadCounts, onNode, serverPod, sum, TalkingPods } from "./talking-pods.ts";

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT) + namespace("outside"),
  "pods.yaml": [
    sleeper("shop/client", { annotations: onNode(1) }),
    serverPod("shop/web", 2, { app: "web" }),
    sleeper("outside/stranger", { annotations: onNode(1) }),
  ].join(""),
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const soon = { timeout: 15_000 };

const worker = async (node: number) => (await mesh.status()).nodes[node - 1]?.agent?.workers[0];

const isReady = async (): Promise<boolean> =>
  (await mesh.status()).nodes.every(({ agent }) => agent?.ready === true && agent.workers.length > 0);

/** An agent that was replaced has no certificates at first, and a worker that is replaced then has none either. */
const hasCertificates = async (): Promise<boolean> =>
  (await mesh.status()).nodes.every(({ agent }) => agent?.certificates.every(({ state }) => state === "valid"));

/** Waits until a node logs connection after connection to the port that is under load. */
const loadRuns = (node: number): Promise<void> => {
  const opened = (): number =>
    mesh.accessLog(node).filter((line) => line.event === "opened" && String(line["dst.addr"]).endsWith(":8080")).length;
  const before = opened();
  return expect.poll(opened, soon).toBeGreaterThan(before + 20);
};

test.each([1, 2])(
  "a worker of node %i that is killed under load is replaced, refuses nobody, and what was in flight is reset and counted",
  async (node) => {
    const address = await mesh.address("shop/web");
    const before = await worker(node);
    const lostBefore = sum(await mesh.metrics(node, "outside/stranger"), "heddle_worker_lost_connections_total");
    const held = await mesh.hold("shop/client", address, 8085, 20);
    // What the agent knows of: only that can it count as lost.
    await expect.poll(async () => (await worker(node))?.openConnections, soon).toBeGreaterThanOrEqual(20);
    const load = mesh.client<LoadCounts>("shop/client", "load", address, 8080, 4, 8);
    await loadRuns(node);
    expect(await mesh.signal({ node: `node-${node}`, role: "worker", index: 0, signal: "SIGKILL" })).toBe(200);
    const { ok, reset: _, ...wrong } = await load;
    expect(wrong).toEqual({ refused: 0, other: 0, direct: 0 });
    expect(ok).toBeGreaterThan(10);
    expect(await held.end()).toEqual({ echoed: 20, survivors: 0 });
    await expect.poll(isReady, soon).toBe(true);
    const after = await worker(node);
    expect(after?.startId).not.toBe(before?.startId);
    expect(after?.restarts).toBe((before?.restarts ?? 0) + 1);
    // The connections that were held, at least, and each of them once.
    const samples = await mesh.metrics(node, "outside/stranger");
    const lost = sum(samples, "heddle_worker_lost_connections_total") - lostBefore;
    expect(lost).toBeGreaterThanOrEqual(20);
    expect(sum(samples, "istio_tcp_connections_closed_total", { response_flags: "WORKER_LOST" })).toBe(
      lost + lostBefore,
    );
    expect((await mesh.ask("shop/client", address)).pod).toBe("web");
  },
);

test("a worker that hangs is ended and replaced", async () => {
  const address = await mesh.address("shop/web");
  const before = await worker(2);
  await mesh.signal({ node: "node-2", role: "worker", index: 0, signal: "SIGSTOP" });
  await expect
    .poll(async () => (await worker(2))?.startId ?? before?.startId, { timeout: 60_000 })
    .not.toBe(before?.startId);
  expect((await mesh.ask("shop/client", address)).pod).toBe("web");
});

test("counters never go back, and nothing is counted twice, when a worker is replaced", async () => {
  const address = await mesh.address("shop/web");
  const opened = async (): Promise<number> =>
    sum(await mesh.metrics(2, "outside/stranger"), "istio_tcp_connections_opened_total", { reporter: "destination" });
  const start = await opened();
  for (let call = 0; call < 5; call++) await mesh.ask("shop/client", address);
  await expect.poll(opened, soon).toBe(start + 5);
  await mesh.signal({ node: "node-2", role: "worker", index: 0, signal: "SIGKILL" });
  await expect.poll(isReady, soon).toBe(true);
  expect(await opened()).toBe(start + 5);
  for (let call = 0; call < 3; call++) await mesh.ask("shop/client", address);
  await expect.poll(opened, soon).toBe(start + 8);
});

test("an agent that is killed takes nobody along, and comes back", async () => {
  const address = await mesh.address("shop/web");
  const before = await worker(2);
  const held = await mesh.hold("shop/client", address, 8085, 10);
  const load = mesh.client<LoadCounts>("shop/client", "load", address, 8080, 4, 4);
  await loadRuns(2);
  await mesh.signal({ node: "node-2", role: "agent", signal: "SIGKILL" });
  const { ok, ...failed } = await load;
  expect(failed).toEqual({ refused: 0, reset: 0, other: 0, direct: 0 });
  expect(ok).toBeGreaterThan(10);
  await expect.poll(isReady, soon).toBe(true);
  expect((await worker(2))?.startId).toBe(before?.startId);
  expect(await held.end()).toEqual({ echoed: 10, survivors: 10 });
  await expect.poll(hasCertificates, soon).toBe(true);
});

test("an agent that hangs is ended and replaced, and takes nobody along", async () => {
  const address = await mesh.address("shop/web");
  const before = await worker(2);
  const held = await mesh.hold("shop/client", address, 8085, 10);
  await mesh.signal({ node: "node-2", role: "agent", signal: "SIGSTOP" });
  await expect.poll(isReady, soon).toBe(false);
  expect((await mesh.ask("shop/client", address)).pod).toBe("web");
  await expect.poll(isReady, { timeout: 60_000 }).toBe(true);
  expect((await worker(2))?.startId).toBe(before?.startId);
  expect(await held.end()).toEqual({ echoed: 10, survivors: 10 });
  await expect.poll(hasCertificates, soon).toBe(true);
});

test("with the control plane away traffic flows, also through a worker that is replaced meanwhile", async () => {
  const address = await mesh.address("shop/web");
  await mesh.signal({ role: "control-plane", signal: "SIGSTOP" });
  try {
    expect((await mesh.ask("shop/client", address)).pod).toBe("web");
    await mesh.signal({ node: "node-2", role: "worker", index: 0, signal: "SIGKILL" });
    await expect.poll(() => mesh.ask("shop/client", address).catch(String), soon).toMatchObject({ pod: "web" });
  } finally {
    await mesh.signal({ role: "control-plane", signal: "SIGCONT" });
  }
  await expect.poll(isReady, soon).toBe(true);
});

test("a control plane that is killed comes back, the nodes connect again, and a change arrives", async () => {
  const held = await mesh.hold("shop/client", await mesh.address("shop/web"), 8085, 5);
  await mesh.signal({ role: "control-plane", signal: "SIGKILL" });
  mesh.write("more.yaml", serverPod("shop/late", 1));
  await expect
    .poll(async () => (await mesh.ask("shop/client", await mesh.address("shop/late"))).pod, soon)
    .toBe("late");
  // Both pods are on one node; the other may still be waiting before it tries again.
  const links = async () =>
    (await mesh.status()).nodes.map(({ link }) => [link?.connected, link?.held === link?.wanted]);
  await expect.poll(links, soon).toEqual([
    [true, true],
    [true, true],
  ]);
  expect(await held.end()).toEqual({ echoed: 5, survivors: 5 });
});

test("with the supervisor gone traffic of its pods is refused, not passed in clear, until it is back", async () => {
  const address = await mesh.address("shop/web");
  const startedAt = Date.now();
  // One that the proxy lets in without a certificate, and would not miss; and one that must come through a tunnel.
  const loads = ["outside/stranger", "shop/client"].map((pod) =>
    mesh.client<LoadCounts>(pod, "load", address, 8080, 15, 1),
  );
  await loadRuns(2);
  await mesh.signal({ node: "node-2", role: "supervisor", signal: "SIGKILL" });
  for (const { ok, refused, reset, ...wrong } of await Promise.all(loads)) {
    expect(ok).toBeGreaterThan(10);
    expect(refused + reset).toBeGreaterThan(0);
    expect(wrong).toEqual({ other: 0, direct: 0 });
  }
  await expect.poll(isReady, soon).toBe(true);
  await expect.poll(() => mesh.ask("shop/client", address).catch(String), soon).toMatchObject({ pod: "web" });
  const policies = mesh
    .accessLog(2)
    .filter(({ time, event, direction }) => Number(time) >= startedAt && event === "opened" && direction === "inbound")
    .filter((line) => line["src.workload"] === "client")
    .map((line) => line.connection_security_policy);
  expect(new Set(policies)).toEqual(new Set(["mutual_tls"]));
});

test("a supervisor that hangs is ended by whoever started it, and replaced", async () => {
  const address = await mesh.address("shop/web");
  const before = await worker(2);
  await mesh.signal({ node: "node-2", role: "supervisor", signal: "SIGSTOP" });
  await expect
    .poll(async () => (await worker(2))?.startId ?? before?.startId, { timeout: 60_000 })
    .not.toBe(before?.startId);
  await expect.poll(isReady, { timeout: 60_000 }).toBe(true);
  await expect.poll(() => mesh.ask("shop/client", address).catch(String), soon).toMatchObject({ pod: "web" });
});

test("a running pod that is enrolled keeps its connections, and its next ones are protected", async () => {
  mesh.write(
    "plain.yaml",
    namespace("plain") + sleeper("plain/client", { annotations: onNode(1) }) + serverPod("plain/web", 2),
  );
  await expect.poll(async () => (await mesh.pod("plain/web"))?.ready, soon).toBe(true);
  await expect.poll(() => mesh.ask("plain/client", "10.0.0.1", 1).catch(String), soon).toContain("E");
  const address = await mesh.address("plain/web");
  await expect.poll(() => mesh.ask("plain/client", address).catch(String), soon).toMatchObject({ pod: "web" });
  const held = await mesh.hold("plain/client", address, 8085, 5);
  mesh.write(
    "plain.yaml",
    namespace("plain", AMBIENT) + sleeper("plain/client", { annotations: onNode(1) }) + serverPod("plain/web", 2),
  );
  await expect.poll(async () => (await mesh.pod("plain/web"))?.enrolled, soon).toBe(true);
  await expect.poll(async () => (await mesh.pod("plain/client"))?.enrolled, soon).toBe(true);
  expect(await held.end()).toEqual({ echoed: 5, survivors: 5 });
  await expect
    .poll(async () => {
      await mesh.ask("plain/client", address);
      const line = mesh.accessLog(2).findLast((each) => each.event === "opened" && each["dst.namespace"] === "plain");
      return line?.connection_security_policy;
    }, soon)
    .toBe("mutual_tls");
});

test("a new pod's first connection waits until the pod can be served, and is then served", async () => {
  const address = await mesh.address("shop/web");
  const script = `const t = Date.now(); const s = require("net").connect(8080, "${address}");
    s.on("data", (d) => process.stdout.write(d)).on("error", (e) => console.log(e.code));`;
  mesh.write(
    "eager.yaml",
    `---\n${JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: "shop", name: "eager", annotations: onNode(1) },
      spec: {
        restartPolicy: "Never",
        containers: [{ name: "app", image: "node:26-alpine", command: ["node", "-e", script] }],
      },
    })}\n`,
  );
  await expect.poll(async () => (await mesh.heddle("logs", "shop/eager")).stdout, soon).toContain('"pod":"web"');
});
