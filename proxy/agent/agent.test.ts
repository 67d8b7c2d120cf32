import { expect, test, vi } from "vitest";
import { importPrivateKey } from "#certs/x509/key-pair.ts";
import type { ControlStreamHandler } from "./control-stream.ts";
import { settled } from "#mesh/testing/manual-clock.ts";
import { policyBytes, serviceBytes, WEB_0, WEB_SERVICE, workloadBytes } from "../testing/resource-bytes.ts";
import { enrolledPod, type FakeWorker, runningAgent } from "../testing/running-agent.ts";

/** What the agent gives to each control stream. */
const handlers = vi.hoisted((): ControlStreamHandler[] => []);

vi.mock(import("./control-stream.ts"), async (original) => {
  const { ControlStream } = await original();
  class ObservedStream extends ControlStream {
    constructor(...options: ConstructorParameters<typeof ControlStream>) {
      super(...options);
      handlers.push(options[2]);
    }
  }
  return { ControlStream: ObservedStream };
});

type Running = Awaited<ReturnType<typeof runningAgent>>;

const WEB = "spiffe://cluster.local/ns/shop/sa/web";
const web = { name: WEB_0, bytes: workloadBytes() };

/** Each type once: only then the agent tells its workers anything. @returns the nonces */
const sync = ({ respond, bundle }: Running): readonly string[] => [
  respond("trust-bundle", [bundle]),
  respond("address", [web]),
  respond("authorization"),
  respond("routing"),
];

const applied = async ({ agent }: Running, worker: FakeWorker, generation: number): Promise<void> => {
  worker.report({ kind: "applied", generation });
  const link = agent.workers.find(({ life }) => life.startId === worker.life.startId);
  await vi.waitFor(() => expect(link?.appliedGeneration).toBe(generation));
  await settled();
};

const acknowledged = ({ streams }: Running, nonces: readonly string[]): readonly string[] =>
  nonces.filter((nonce) => streams.some((stream) => stream.answers(nonce).some(({ nack }) => nack === undefined)));

test("an agent that has not heard of every type tells its workers nothing, and keeps what they have", async () => {
  const running = await runningAgent();
  const worker = running.worker();
  running.respond("trust-bundle", [running.bundle]);
  running.respond("address", [web]);
  running.supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod() });
  await vi.waitFor(() => expect(worker.orders.length).toBe(1));
  expect(worker.orders).toMatchObject([{ kind: "credential" }]);
  running.respond("authorization");
  running.respond("routing");
  await vi.waitFor(() => expect(worker.commits).toEqual([4]));
  expect(worker.orders.slice(1)).toMatchObject([
    { kind: "resource", resource: "address", name: WEB_0 },
    { kind: "resource", resource: "trust-bundle", name: "cluster.local" },
    { kind: "commit", generation: 4, complete: true },
  ]);
});

test("after that the workers get differences, each with its commit, also where nothing differs", async () => {
  const running = await runningAgent();
  const worker = running.worker();
  sync(running);
  running.respond("address", [{ name: WEB_SERVICE, bytes: serviceBytes() }], [WEB_0]);
  running.respond("address", [{ name: WEB_SERVICE, bytes: serviceBytes() }]);
  await vi.waitFor(() => expect(worker.commits).toEqual([4, 5, 6]));
  expect(worker.orders.slice(3)).toMatchObject([
    { kind: "resource", name: WEB_SERVICE, bytes: expect.anything() as unknown },
    { kind: "resource", name: WEB_0, bytes: undefined },
    { kind: "commit", generation: 5, complete: false },
    { kind: "commit", generation: 6, complete: false },
  ]);
});

test("a worker that starts later gets everything at once", async () => {
  const running = await runningAgent();
  sync(running);
  running.respond("address", [], [WEB_0]);
  const worker = running.worker();
  await vi.waitFor(() => expect(worker.commits).toEqual([5]));
  expect(worker.orders).toMatchObject([
    { kind: "resource", name: "cluster.local" },
    { kind: "commit", complete: true },
  ]);
});

test("a response is acknowledged when the slowest worker has applied it", async () => {
  const running = await runningAgent();
  const [first, second] = [running.worker(0), running.worker(1)];
  const nonces = sync(running);
  await applied(running, first, 4);
  expect([acknowledged(running, nonces), running.agent.enforcedGeneration]).toEqual([[], 0]);
  await applied(running, second, 3);
  expect([acknowledged(running, nonces), running.agent.enforcedGeneration]).toEqual([nonces.slice(0, 3), 3]);
  await applied(running, second, 4);
  expect([acknowledged(running, nonces), running.agent.enforcedGeneration]).toEqual([nonces, 4]);
});

test("without workers nothing is enforced, and nothing acknowledged until the first has it", async () => {
  const running = await runningAgent();
  const nonces = sync(running);
  await settled();
  expect([acknowledged(running, nonces), running.agent.enforcedGeneration]).toEqual([[], 0]);
  await applied(running, running.worker(), 4);
  expect(acknowledged(running, nonces)).toEqual(nonces);
});

test("a worker that dies holds nothing back; its successor does until it has everything", async () => {
  const running = await runningAgent();
  const [first] = [running.worker(0), running.worker(1)];
  const nonces = sync(running);
  await applied(running, first, 4);
  running.supervisor({ kind: "worker-gone", startId: "start-1", reason: "SIGSEGV" });
  await settled();
  expect(acknowledged(running, nonces)).toEqual(nonces);
  const successor = running.worker(1, { startId: "start-1b", restarts: 1 });
  const later = [running.respond("address")];
  await applied(running, first, 5);
  expect(acknowledged(running, later)).toEqual([]);
  await applied(running, successor, 5);
  expect(acknowledged(running, later)).toEqual(later);
});

test("a worker that claims a generation of the future does not acknowledge it", async () => {
  const running = await runningAgent();
  const worker = running.worker();
  const nonces = sync(running);
  await applied(running, worker, 1_000_000);
  expect([acknowledged(running, nonces), running.agent.enforcedGeneration]).toEqual([nonces, 4]);
});

test("what was refused is answered with the reason at once, and the good rest is in force", async () => {
  const running = await runningAgent();
  const worker = running.worker();
  sync(running);
  const nonce = running.respond("authorization", [
    { name: "shop/deny", bytes: policyBytes() },
    { name: "shop/bad", bytes: Uint8Array.of(255) },
  ]);
  expect(running.streams[0]?.answers(nonce)).toMatchObject([{ nack: expect.stringMatching(/^shop\/bad: /) }]);
  await vi.waitFor(() => expect(worker.commits.at(-1)).toBe(5));
  await applied(running, worker, 5);
  expect([acknowledged(running, [nonce]), running.agent.enforcedGeneration]).toEqual([[], 5]);
  expect(running.agent.controlPlane.version).toBe("version-4");
});

test("on a new stream the agent says what it holds, and what the lost one waited for is settled and never answered", async () => {
  const running = await runningAgent();
  const worker = running.worker();
  const nonces = sync(running);
  running.streams[0]?.end("connection reset");
  expect(running.agent.controlPlane).toMatchObject({
    isConnected: false,
    lastError: "connection reset",
    terminations: 1,
  });
  await running.clock.pass(50);
  expect(running.streams[1]?.requests.map(({ initialResourceVersions }) => initialResourceVersions)).toEqual([
    { "cluster.local": "1" },
    { [WEB_0]: "1" },
    {},
    {},
  ]);
  const again = [running.respond("address")];
  await applied(running, worker, 5);
  expect([acknowledged(running, nonces), acknowledged(running, again)]).toEqual([[], again]);
  expect(worker.commits).toEqual([4, 5]);
});

test("nobody waits for ever for a response to be enforced: the end of its stream is an answer too", async () => {
  const running = await runningAgent();
  const enforced = handlers.at(-1)?.receive({ kind: "address", resources: [], removed: [] }).enforced;
  running.streams[0]?.end("connection reset");
  const outcome = enforced?.catch((error: unknown) => String(error));
  expect(await Promise.race([outcome, settled().then(() => "it hangs")])).toMatch(/the control stream ended/);
});

test("the version of the control plane is the last that was received without a refusal before it", async () => {
  const running = await runningAgent();
  sync(running);
  running.respond("address", [{ name: WEB_0, version: "2", bytes: Uint8Array.of(255) }]);
  running.respond("authorization");
  expect(running.agent.controlPlane.version).toBe("version-4");
  running.respond("address", [{ ...web, version: "3" }]);
  expect(running.agent.controlPlane.version).toBe("version-7");
});

test("a pod's certificate goes to its home and to no other worker, with a key that only fits there", async () => {
  const running = await runningAgent();
  const [home, other] = [running.worker(0), running.worker(1)];
  sync(running);
  running.supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod() });
  await vi.waitFor(() => expect(home.credentials).toEqual([`+${WEB}`]));
  const credential = home.orders.find(({ kind }) => kind === "credential");
  expect(credential?.kind === "credential" && importPrivateKey(credential.key).ok).toBe(true);
  await vi.waitFor(() => expect(other.commits).toEqual([4]));
  expect(other.credentials).toEqual([]);
  expect(running.sign.mock.calls).toMatchObject([[{ identity: WEB, holder: "worker-0", lifetimeMs: 86_400_000 }]]);
});

test("a pod that moves gets a new key in its new home, and the old home forgets the old one", async () => {
  const running = await runningAgent();
  const [home, next] = [running.worker(0), running.worker(1)];
  running.respond("trust-bundle", [running.bundle]);
  running.supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod() });
  await vi.waitFor(() => expect(home.credentials).toEqual([`+${WEB}`]));
  running.supervisor({ kind: "pod", slot: 1, worker: 1, pod: enrolledPod() });
  await vi.waitFor(() => expect(next.credentials).toEqual([`+${WEB}`]));
  await vi.waitFor(() => expect(home.credentials).toEqual([`+${WEB}`, `-${WEB}`]));
  const keys = [home, next].map(({ orders }) => orders.find(({ kind }) => kind === "credential"));
  expect(keys[0]).not.toEqual(keys[1]);
});

test("two pods of one identity share a certificate, which goes when the last of them does", async () => {
  const running = await runningAgent();
  const home = running.worker(0);
  running.respond("trust-bundle", [running.bundle]);
  running.supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod() });
  running.supervisor({ kind: "pod", slot: 2, worker: 0, pod: enrolledPod({ uid: "uid-2", name: "web-1" }) });
  await vi.waitFor(() => expect(home.credentials).toEqual([`+${WEB}`]));
  running.supervisor({ kind: "pod-gone", slot: 1 });
  running.supervisor({ kind: "pod-gone", slot: 2 });
  await vi.waitFor(() => expect(home.credentials).toEqual([`+${WEB}`, `-${WEB}`]));
});

test("a worker that comes back gets the keys of its pods without the CA being asked", async () => {
  const running = await runningAgent();
  const home = running.worker(0);
  running.respond("trust-bundle", [running.bundle]);
  running.supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod() });
  await vi.waitFor(() => expect(home.credentials.length).toBe(1));
  running.supervisor({ kind: "worker-gone", startId: "start-0", reason: "SIGKILL" });
  const successor = running.worker(0, { startId: "start-0b", restarts: 1 });
  await vi.waitFor(() => expect(successor.credentials).toEqual([`+${WEB}`]));
  expect(running.sign).toHaveBeenCalledTimes(1);
});

test("a worker that is gone is counted out: its pods are served by nobody, its connections are lost", async () => {
  const running = await runningAgent();
  const worker = running.worker(0);
  const labels = { pod: "web" };
  worker.report({
    kind: "counters",
    series: [{ id: 1, metric: "istio_tcp_connections_opened_total", labels }],
    totals: [[1, 3]],
  });
  worker.report({ kind: "serving", slots: [1] });
  await vi.waitFor(() => expect(running.agent.isServed(1)).toBe(true));
  running.supervisor({ kind: "worker-gone", startId: "start-0", reason: "SIGKILL" });
  expect([running.agent.isServed(1), running.agent.lostConnections, running.agent.workers]).toEqual([false, 3, []]);
});

test("what a worker sent before it was gone is not counted after that", async () => {
  const running = await runningAgent();
  const worker = running.worker(0);
  const report = (total: number): void =>
    worker.report({
      kind: "counters",
      series: [{ id: 1, metric: "istio_tcp_sent_bytes_total", labels: {} }],
      totals: [[1, total]],
    });
  report(1);
  await vi.waitFor(() => expect([...running.agent.counters.totals()]).toMatchObject([{ total: 1 }]));
  report(2);
  running.supervisor({ kind: "worker-gone", startId: "start-0", reason: "SIGKILL" });
  await settled();
  await settled();
  expect([...running.agent.counters.totals()]).toMatchObject([{ total: 1 }]);
});

test("a worker that says what no honest worker says is ended, once, and told nothing more", async () => {
  const running = await runningAgent();
  const worker = running.worker(0);
  worker.report({ kind: "applied", generation: -1 });
  worker.report({ kind: "applied", generation: 7 });
  await vi.waitFor(() => expect(running.ended).toEqual([worker.life]));
  sync(running);
  await vi.waitFor(() => expect(worker.socket.destroyed).toBe(true));
  expect([running.ended.length, worker.orders, running.agent.workers[0]?.appliedGeneration]).toEqual([1, [], 0]);
});

test("the node is ready when the control plane, the enroller and a worker are there, and says what is missing", async () => {
  const running = await runningAgent();
  const missing = (): readonly string[] => running.agent.notReady;
  expect(missing()).toEqual([
    "the control plane has not sent everything yet",
    "the enroller has not named the pods of this node yet",
    "no worker runs",
  ]);
  running.supervisor({ kind: "complete" });
  running.worker();
  expect(missing()).toEqual(["the control plane has not sent everything yet"]);
  sync(running);
  expect(missing()).toEqual([]);
  running.streams[0]?.end("gone");
  expect(missing()).toEqual([]);
});

test("a pod whose rules are lost is known by that until they are back, also when it moves meanwhile", async () => {
  const { agent, supervisor } = await runningAgent();
  supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod() });
  supervisor({ kind: "capture", slot: 1, problem: "the nft rules are gone" });
  supervisor({ kind: "pod", slot: 1, worker: 1, pod: enrolledPod() });
  expect(agent.pods.get(1)?.captureProblem).toBe("the nft rules are gone");
  supervisor({ kind: "capture", slot: 1, problem: undefined });
  expect(agent.pods.get(1)?.captureProblem).toBeUndefined();
  supervisor({ kind: "capture", slot: 9, problem: "of a pod that is gone" });
});

test("no line of the log holds a key", async () => {
  const running = await runningAgent();
  const worker = running.worker(0);
  sync(running);
  running.supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod() });
  await vi.waitFor(() => expect(worker.credentials.length).toBe(1));
  expect(running.lines.join("\n")).toMatch(/certificate issued/);
  expect(running.lines.join("\n")).not.toMatch(/PRIVATE KEY|MIG[HTI]|"key"/);
});

test("the supervisor is told once that everything was heard, and has it answer for the node and leave that to another", async () => {
  const { respond, bundle, supervisor, done } = await runningAgent();
  respond("trust-bundle", [bundle]);
  respond("address");
  respond("authorization");
  expect(done).toEqual([]);
  respond("routing");
  respond("routing");
  expect(done).toEqual(["synced"]);
  supervisor({ kind: "serve" });
  supervisor({ kind: "retire" });
  expect(done).toEqual(["synced", "serve", "retire"]);
});

test("an agent says every second that it is alive, whether or not anything else happens", async () => {
  const { clock, signs } = await runningAgent();
  const start = clock.now();
  clock.advance(3_000);
  expect(signs).toEqual([start, start + 1_000, start + 2_000, start + 3_000]);
});

test("a pod that has had its lines of this second has others in the next", async () => {
  const running = await runningAgent({ accessLogRate: 2 });
  const worker = running.worker();
  running.supervisor({ kind: "pod", slot: 1, worker: 0, pod: enrolledPod() });
  const flow = { event: "opened", direction: "inbound", "dst.namespace": "shop", "dst.workload": "web-0" };
  const lines = () =>
    running.lines
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
      .filter(({ log }) => log === "access")
      .map(({ event, lines: left, "pod.name": pod }) => (left === undefined ? event : [event, left, pod]));
  for (const seconds of [1, 2]) {
    worker.report({ kind: "flows", flows: [flow, flow, flow], left: [], dropped: 0 });
    await vi.waitFor(() => expect(lines()).toHaveLength(3 * seconds - 1));
    running.clock.advance(1_000);
    expect(lines().slice(3 * (seconds - 1))).toEqual(["opened", "opened", ["left-out", 1, "web-0"]]);
  }
  expect(running.agent.accessLog.dropped).toBe(2);
});
