import { afterAll, beforeAll, expect, test } from "vitest";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import { onNode, serverPod, sum, TalkingPods } from "./talking-pods.ts";

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

interface LoadCounts {
  readonly ok: number;
  readonly refused: number;
  readonly reset: number;
  readonly other: number;
}

const worker = async (node: number) => (await mesh.status()).nodes[node - 1]?.agent?.workers[0];

const isReady = async (): Promise<boolean> =>
  (await mesh.status()).nodes.every(({ agent }) => agent?.ready === true && agent.workers.length > 0);

test.each([1, 2])(
  "a worker of node %i that is killed under load is replaced, refuses nobody, and what was in flight is reset and counted",
  async (node) => {
    const address = await mesh.address("shop/web");
    const before = await worker(node);
    const lostBefore = sum(await mesh.metrics(node, "outside/stranger"), "heddle_worker_lost_connections_total");
    const load = mesh.client<LoadCounts>("shop/client", "load", address, 8080, 4, 8);
    const held = mesh.client<{ survivors: number }>("shop/client", "hold", address, 8085, 20, 3_000);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await mesh.signal({ node: `node-${node}`, role: "worker", index: 0, signal: "SIGKILL" })).toBe(200);
    const { ok, refused, other } = await load;
    expect({ refused, other }).toEqual({ refused: 0, other: 0 });
    expect(ok).toBeGreaterThan(50);
    expect((await held).survivors).toBe(0);
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
  const held = mesh.client<{ survivors: number }>("shop/client", "hold", address, 8085, 10, 4_000);
  const load = mesh.client<LoadCounts>("shop/client", "load", address, 8080, 4, 4);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await mesh.signal({ node: "node-2", role: "agent", signal: "SIGKILL" });
  const { ok, ...failed } = await load;
  expect(failed).toEqual({ refused: 0, reset: 0, other: 0 });
  expect(ok).toBeGreaterThan(50);
  expect((await held).survivors).toBe(10);
  await expect.poll(isReady, soon).toBe(true);
  expect((await worker(2))?.startId).toBe(before?.startId);
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
  const held = mesh.client<{ survivors: number }>(
    "shop/client",
    "hold",
    await mesh.address("shop/web"),
    8085,
    5,
    6_000,
  );
  await mesh.signal({ role: "control-plane", signal: "SIGKILL" });
  mesh.write("more.yaml", serverPod("shop/late", 1));
  await expect
    .poll(async () => (await mesh.ask("shop/client", await mesh.address("shop/late"))).pod, soon)
    .toBe("late");
  const { nodes } = await mesh.status();
  expect(nodes.map(({ link }) => [link?.connected, link?.held === link?.wanted])).toEqual([
    [true, true],
    [true, true],
  ]);
  expect((await held).survivors).toBe(5);
});

test("with the supervisor gone traffic of its pods is refused, not passed in clear, until it is back", async () => {
  const address = await mesh.address("shop/web");
  const stranger = () => mesh.client("outside/stranger", "ask", address, 8080);
  expect((await stranger()).error).toBeUndefined();
  await mesh.signal({ node: "node-2", role: "supervisor", signal: "SIGKILL" });
  const outcomes: (string | undefined)[] = [];
  await expect
    .poll(async () => {
      const { error } = await stranger();
      outcomes.push(error);
      return error;
    }, soon)
    .toBeUndefined();
  // Never an answer that did not come through the proxy: while it was away, a refusal.
  expect(outcomes.slice(0, -1).every((error) => error === "ECONNREFUSED" || error === "ECONNRESET")).toBe(true);
  await expect.poll(isReady, soon).toBe(true);
  await expect.poll(() => mesh.ask("shop/client", address).catch(String), soon).toMatchObject({ pod: "web" });
  await expect
    .poll(() => mesh.accessLog(2).findLast((line) => line.event === "opened")?.connection_security_policy, soon)
    .toBe("mutual_tls");
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
  const held = mesh.client<{ survivors: number }>("plain/client", "hold", address, 8085, 5, 6_000);
  await new Promise((resolve) => setTimeout(resolve, 500));
  mesh.write(
    "plain.yaml",
    namespace("plain", AMBIENT) + sleeper("plain/client", { annotations: onNode(1) }) + serverPod("plain/web", 2),
  );
  await expect.poll(async () => (await mesh.pod("plain/web"))?.enrolled, soon).toBe(true);
  await expect.poll(async () => (await mesh.pod("plain/client"))?.enrolled, soon).toBe(true);
  expect((await held).survivors).toBe(5);
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
