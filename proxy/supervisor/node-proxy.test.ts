import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { encodeAgentRecord } from "../channel/agent-record.ts";
import { encodeWorkerRecord, MAX_NEEDED } from "../channel/worker-record.ts";
import { someDescriptor } from "../testing/open-descriptors.ts";
import { FakeProcess } from "../testing/fake-confined-process.ts";
import type { EnrolmentRecord } from "./enrolment.ts";
import type { Log } from "./log.ts";
import { CapturedNamespaces } from "./captured-namespaces.ts";
import { EnrolledPod } from "./enrolled-pod.ts";
import { NodeProxy, type PodInHand } from "./node-proxy.ts";
import { readSettings } from "./settings.ts";

vi.mock("./confined-process.ts", () => ({ ConfinedProcess: FakeProcess }));

/** What happens in the namespaces of the pods, by uid. */
const namespaces = vi.hoisted(() => ({
  done: [] as string[],
  start: (): Promise<void> => Promise.resolve(),
  duplicate: (): number[] => [],
  check: (): Promise<string | undefined> => Promise.resolve(undefined),
  install: (): Promise<void> => Promise.resolve(),
}));

vi.mock("./enrolled-pod.ts", () => ({
  EnrolledPod: class {
    readonly slot: number;
    readonly record: EnrolmentRecord;
    home = -1;
    captureProblem: string | undefined;
    readonly capture = { check: () => namespaces.check(), install: () => namespaces.install() };

    constructor(slot: number, record: EnrolmentRecord) {
      this.slot = slot;
      this.record = record;
    }

    get title(): string {
      return `${this.record.namespace}/${this.record.name}`;
    }
    closeListeners(): void {
      namespaces.done.push(`close ${this.record.uid}`);
    }
    forget(): void {
      namespaces.done.push(`forget ${this.record.uid}`);
    }
    get namespaceIdentity(): string {
      return this.record.netns;
    }
    get message(): object {
      return { uid: this.record.uid };
    }
    start(): Promise<void> {
      return this.#did("start", namespaces.start());
    }
    release(): Promise<void> {
      return this.#did("release", Promise.resolve());
    }
    abandon(): void {
      namespaces.done.push(`abandon ${this.record.uid}`);
    }
    letGo(): void {
      namespaces.done.push(`let go ${this.record.uid}`);
    }
    duplicateListeners(): readonly number[] {
      return namespaces.duplicate();
    }
    makeSockets(kind: string, count: number): readonly number[] {
      namespaces.done.push(`${count} ${kind} ${this.record.uid}`);
      return Array.from({ length: count }, () => someDescriptor());
    }
    #did(what: string, result: Promise<void>): Promise<void> {
      namespaces.done.push(`${what} ${this.record.uid}`);
      return result;
    }
  },
}));

beforeEach(() => {
  vi.useFakeTimers();
  FakeProcess.started.length = 0;
  FakeProcess.failures = 0;
  Object.assign(namespaces, {
    done: [],
    start: () => Promise.resolve(),
    duplicate: () => [],
    check: () => Promise.resolve(undefined),
    install: () => Promise.resolve(),
  });
});
afterEach(() => void vi.useRealTimers());

const running = ({ isHeld = false } = {}) => {
  const settings = readSettings({
    HEDDLE_NODE: "node-1",
    HEDDLE_RUN_DIR: "/run",
    HEDDLE_PROGRAM: "/opt/heddle",
    HEDDLE_WORKERS: "2",
  });
  const log = vi.fn<Log>();
  let slots = 0;
  const left: EnrolledPod[] = [];
  const captured = new CapturedNamespaces("/nonexistent");
  const proxy = new NodeProxy(settings, log, () => Date.now(), {
    isHeld,
    makePod: (record) => new EnrolledPod(++slots, record, captured),
    leftBehind: () => left.splice(0),
  });
  proxy.start();
  return { proxy, log, left };
};

const pod = (uid: string, changes: Partial<EnrolmentRecord> = {}): EnrolmentRecord => ({
  uid,
  namespace: "shop",
  name: uid,
  serviceAccount: "web",
  addresses: ["10.0.0.1"],
  netns: `/run/netns/${uid}`,
  node: "node-1",
  probeAddresses: [],
  capabilities: [],
  ...changes,
});

const agent = (): FakeProcess => FakeProcess.latest("agent");
const worker = (index: number): FakeProcess => FakeProcess.latest(`worker ${index}`);
/** Has a worker end and its successor start. */
const crash = (index: number): void => {
  worker(index).end();
  vi.advanceTimersByTime(0);
};

test("agent and workers are joined, each pair once", () => {
  running();
  expect(agent().messages).toMatchObject([
    { kind: "serve" },
    { kind: "worker", index: 0, restarts: 0 },
    { kind: "worker", index: 1, restarts: 0 },
  ]);
  expect([worker(0).kinds, worker(1).kinds]).toEqual([["agent"], ["agent"]]);
});

test("a pod is told to its home and to the agent when it is captured, and to no other worker", async () => {
  const { proxy } = running();
  const captured = Promise.withResolvers<void>();
  namespaces.start = () => captured.promise;
  const enrolled = proxy.enrol(pod("a"));
  await vi.advanceTimersByTimeAsync(0);
  expect(worker(0).kinds).toEqual(["agent"]);
  captured.resolve();
  await enrolled;
  expect(worker(0).messages.at(-1)).toEqual({ kind: "pod", slot: 1, pod: { uid: "a" }, isHeld: false });
  expect(agent().messages.at(-1)).toEqual({ kind: "pod", slot: 1, worker: 0, pod: { uid: "a" } });
  expect(worker(1).kinds).toEqual(["agent"]);
});

test("pods are spread over the workers", async () => {
  const { proxy } = running();
  for (const uid of ["a", "b", "c"]) await proxy.enrol(pod(uid));
  expect([worker(0).kinds, worker(1).kinds]).toEqual([
    ["agent", "pod", "pod"],
    ["agent", "pod"],
  ]);
});

test("a pod that is enrolled already stays as it is; its namespace under another uid is refused", async () => {
  const { proxy } = running();
  await proxy.enrol(pod("a"));
  await proxy.enrol(pod("a"));
  await expect(proxy.enrol(pod("b", { netns: "/run/netns/a" }))).rejects.toThrow(
    "/run/netns/a is the namespace of shop/a, which is to be withdrawn first",
  );
  expect(worker(0).kinds).toEqual(["agent", "pod"]);
  expect(namespaces.done).toEqual(["start a", "let go a", "let go b"]);
});

test("a pod of another node is refused before anything is touched", async () => {
  const { proxy } = running();
  await expect(proxy.enrol(pod("a", { node: "node-2" }))).rejects.toThrow("the pod is on node node-2, this is node-1");
  expect(namespaces.done).toEqual([]);
});

test("a pod whose sandbox was made anew gives up the old namespace first", async () => {
  const { proxy } = running();
  await proxy.enrol(pod("a"));
  await proxy.enrol(pod("a", { netns: "/run/netns/new" }));
  expect(namespaces.done).toEqual(["start a", "release a", "start a"]);
  expect(worker(0).messages.slice(1)).toMatchObject([
    { kind: "pod", slot: 1 },
    { kind: "release", slot: 1 },
    { kind: "pod", slot: 2 },
  ]);
});

test("a pod that cannot be captured is known to nobody, and can be enrolled again", async () => {
  const { proxy } = running();
  namespaces.start = () => Promise.reject(new Error("nft: no"));
  await expect(proxy.enrol(pod("a"))).rejects.toThrow("nft: no");
  expect(namespaces.done).toEqual(["start a", "abandon a"]);
  expect([proxy.drain("a"), worker(0).kinds]).toEqual([false, ["agent"]]);
  namespaces.start = () => Promise.resolve();
  await proxy.enrol(pod("a"));
  expect(proxy.drain("a")).toBe(true);
});

test("a pod whose sockets cannot be given away is taken back from the agent too", async () => {
  const { proxy } = running();
  namespaces.duplicate = () => {
    throw new Error("dup: EMFILE");
  };
  await expect(proxy.enrol(pod("a"))).rejects.toThrow("dup: EMFILE");
  expect(agent().kinds.slice(3)).toEqual(["pod", "pod-gone"]);
  expect(namespaces.done).toEqual(["start a", "abandon a"]);
});

test("a withdrawal never overtakes the enrolment that it follows", async () => {
  const { proxy } = running();
  const captured = Promise.withResolvers<void>();
  namespaces.start = () => captured.promise;
  const all = [proxy.enrol(pod("a")), proxy.withdraw("a"), proxy.enrol(pod("b"))];
  await vi.advanceTimersByTimeAsync(0);
  expect(namespaces.done).toEqual(["start a", "start b"]);
  captured.resolve();
  await Promise.all(all);
  expect(namespaces.done).toEqual(["start a", "start b", "release a"]);
  expect(agent().messages.at(-1)).toEqual({ kind: "pod-gone", slot: 1 });
  await proxy.withdraw("never enrolled");
});

test("complete withdraws what was not named, also what is being enrolled still, and then says so", async () => {
  const { proxy } = running();
  await proxy.enrol(pod("kept"));
  await proxy.enrol(pod("forgotten"));
  const late = proxy.enrol(pod("late"));
  await proxy.complete(new Set(["kept"]));
  await late;
  expect([proxy.drain("kept"), proxy.drain("forgotten"), proxy.drain("late")]).toEqual([true, false, false]);
  expect(agent().kinds.at(-1)).toBe("complete");
});

test("complete withdraws what an earlier supervisor left behind, unless somebody enrols it meanwhile", async () => {
  const { proxy, left } = running();
  const captured = new CapturedNamespaces("/nonexistent");
  left.push(new EnrolledPod(50, pod("gone"), captured), new EnrolledPod(51, pod("back"), captured));
  const back = proxy.enrol(pod("back"));
  await proxy.complete(new Set(["back"]));
  await back;
  expect(namespaces.done.sort()).toEqual(["let go back", "release gone", "start back"]);
  expect([proxy.drain("gone"), proxy.drain("back")]).toEqual([false, true]);
  await proxy.enrol(pod("gone"));
  expect(proxy.drain("gone")).toBe(true);
});

test("drain reaches the home of a pod and nobody else", async () => {
  const { proxy } = running();
  await proxy.enrol(pod("a"));
  await proxy.enrol(pod("b"));
  expect([proxy.drain("b"), proxy.drain("c")]).toEqual([true, false]);
  expect([worker(0).kinds, worker(1).kinds]).toEqual([
    ["agent", "pod"],
    ["agent", "pod", "drain"],
  ]);
});

test("a worker that comes back is given its pods and a stream to the agent, which hears of end and start in order", async () => {
  const { proxy } = running();
  await proxy.enrol(pod("a"));
  await proxy.enrol(pod("b"));
  const before = agent().messages.length;
  crash(0);
  expect(worker(0).messages).toMatchObject([{ kind: "agent" }, { kind: "pod", slot: 1 }]);
  expect(agent().messages.slice(before)).toMatchObject([
    { kind: "worker-gone", reason: "SIGSEGV" },
    { kind: "worker", index: 0, restarts: 1 },
    { kind: "pod", slot: 1, worker: 0 },
  ]);
  expect(worker(1).kinds).toEqual(["agent", "pod"]);
});

test("an agent that comes back is told everything: workers, pods, lost rules, and that it is all", async () => {
  const { proxy } = running();
  await proxy.enrol(pod("a"));
  await proxy.complete(new Set(["a"]));
  namespaces.check = () => Promise.resolve("the nft rules are gone");
  namespaces.install = () => Promise.reject(new Error("nft: no"));
  await vi.advanceTimersByTimeAsync(30_000);
  agent().end();
  vi.advanceTimersByTime(0);
  expect(agent().messages).toMatchObject([
    { kind: "worker", index: 0 },
    { kind: "worker", index: 1 },
    { kind: "pod", slot: 1, worker: 0 },
    { kind: "capture", slot: 1, problem: "the nft rules are gone" },
    { kind: "complete" },
    { kind: "serve" },
  ]);
  expect([worker(0).kinds, worker(1).kinds]).toEqual([
    ["agent", "pod", "agent"],
    ["agent", "agent"],
  ]);
});

test("pods that were there at two crashes move to workers of their own, and agent and worker are told", async () => {
  const { proxy, log } = running();
  for (const uid of ["a", "b", "c"]) await proxy.enrol(pod(uid));
  crash(0);
  expect(FakeProcess.started.length).toBe(4);
  worker(0).end();
  expect([worker(2).kinds, worker(3).kinds]).toEqual([
    ["agent", "pod"],
    ["agent", "pod"],
  ]);
  expect(
    agent()
      .messages.filter(({ kind }) => kind === "pod")
      .slice(-2),
  ).toMatchObject([
    { slot: 1, worker: 2 },
    { slot: 3, worker: 3 },
  ]);
  expect(log.mock.calls.filter(([level]) => level === "warn").length).toBe(2);
  vi.advanceTimersByTime(50);
  expect(worker(0).kinds).toEqual(["agent"]);
  await proxy.enrol(pod("d"));
  expect(worker(0).kinds).toEqual(["agent", "pod"]);
});

test("a worker that was made for one pod ends with it", async () => {
  const { proxy } = running();
  for (const uid of ["a", "b", "c"]) await proxy.enrol(pod(uid));
  crash(0);
  worker(0).end();
  await proxy.withdraw("a");
  expect([worker(2).wasKilled, worker(3).wasKilled]).toEqual([true, false]);
});

test("a worker gets the sockets it asks for, in messages of 64, for its own pods only and within its allowance", async () => {
  const { proxy } = running();
  await proxy.enrol(pod("a"));
  await proxy.enrol(pod("b"));
  const need = (slot: number, count: number): Uint8Array =>
    encodeWorkerRecord({ kind: "need", slot, sockets: "direct", count });
  worker(0).write(need(1, 100));
  worker(0).write(need(2, 5));
  worker(0).write(need(9, 5));
  expect(namespaces.done.slice(2)).toEqual(["64 direct a", "36 direct a"]);
  expect(worker(0).messages.slice(2)).toEqual([
    { kind: "sockets", slot: 1, sockets: "direct" },
    { kind: "sockets", slot: 1, sockets: "direct" },
  ]);
  namespaces.done = [];
  worker(1).write(need(2, MAX_NEEDED));
  worker(1).write(need(2, MAX_NEEDED));
  const made = namespaces.done.map((each) => Number.parseInt(each, 10));
  expect(made.reduce((sum, each) => sum + each, 0)).toBe(20_000);
});

test("the agent has a life of a worker ended, and no later life of it", () => {
  running();
  const first = worker(0);
  agent().write(encodeAgentRecord({ kind: "end-worker", index: 0, pid: first.pid }));
  expect(first.wasKilled).toBe(true);
  crash(0);
  agent().write(encodeAgentRecord({ kind: "end-worker", index: 0, pid: first.pid }));
  expect(worker(0).wasKilled).toBe(false);
});

test("an agent that says what no agent says is ended", () => {
  const { log } = running();
  agent().write(new Uint8Array(16).fill(7));
  expect(agent().wasKilled).toBe(true);
  expect(log.mock.lastCall?.[1]).toBe("agent sent a malformed record; ending it");
});

test("an agent that cannot start is tried ever more slowly", () => {
  running();
  const pauses: number[] = [];
  for (let restart = 0; restart < 5; restart++) {
    const { pid } = agent();
    const endedAt = Date.now();
    agent().end();
    while (agent().pid === pid) vi.advanceTimersToNextTimer();
    pauses.push(Date.now() - endedAt);
  }
  expect(pauses).toEqual([0, 100, 500, 2_000, 2_000]);
});

test("rules that are lost are put back, and the agent hears of them as long as they are not", async () => {
  const { proxy } = running();
  await proxy.enrol(pod("a"));
  const problems = (): readonly unknown[] =>
    agent().messages.flatMap((each) => (each.kind === "capture" ? [each.problem] : []));
  await vi.advanceTimersByTimeAsync(30_000);
  expect(problems()).toEqual([]);
  namespaces.check = () => Promise.resolve("the nft rules are gone");
  await vi.advanceTimersByTimeAsync(30_000);
  expect(problems()).toEqual([undefined]);
  namespaces.install = () => Promise.reject(new Error("nft: no"));
  await vi.advanceTimersByTimeAsync(30_000);
  namespaces.check = () => Promise.resolve(undefined);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(problems()).toEqual([undefined, "the nft rules are gone", undefined]);
});

test("stopping ends everybody and starts nobody; the pods' rules stay", async () => {
  const { proxy } = running();
  await proxy.enrol(pod("a"));
  const all = [...FakeProcess.started];
  proxy.stop();
  expect(all.every(({ wasKilled }) => wasKilled)).toBe(true);
  for (const each of all) each.end("SIGKILL");
  vi.advanceTimersByTime(60_000);
  expect(FakeProcess.started.length).toBe(all.length);
  expect(namespaces.done).toEqual(["start a"]);
});

/** A pod as another supervisor hands it over. */
const handed = (uid: string, home: number, isIsolated = false): PodInHand => {
  const made = new EnrolledPod(100 + Number.parseInt(uid, 36), pod(uid), new CapturedNamespaces("/nonexistent"));
  made.home = home;
  return { pod: made, isIsolated, isPrepared: true };
};

test("pods that are taken over go to the workers they were with, those that crashed others apart from the rest", () => {
  const { proxy } = running({ isHeld: true });
  proxy.adopt([handed("a", 1), handed("b", 0), handed("c", 5, true), handed("d", 5, true), handed("e", 7)], true);
  expect(worker(1).messages.at(-1)).toMatchObject({ kind: "pod", pod: { uid: "a" }, isHeld: true });
  const pods = (index: number): readonly unknown[] =>
    worker(index).messages.flatMap((each) => ("pod" in each ? [each.pod.uid] : []));
  expect([pods(0), pods(1), pods(2)]).toEqual([["b", "e"], ["a"], ["c", "d"]]);
  expect(agent().kinds).not.toContain("serve");
  expect(agent().kinds.at(-1)).toBe("complete");
  expect(namespaces.done).toEqual([]);
});

test("nobody accepts before all are told to, also in a worker that was started anew", () => {
  const { proxy } = running({ isHeld: true });
  proxy.adopt([handed("a", 0)], false);
  crash(0);
  expect(worker(0).messages.at(-1)).toMatchObject({ kind: "pod", isHeld: true });
  proxy.accept();
  expect([worker(0).kinds.at(-1), worker(1).kinds.at(-1)]).toEqual(["accept", "accept"]);
  crash(0);
  // The second restart in a row waits a moment.
  vi.advanceTimersByTime(50);
  expect(worker(0).messages.at(-1)).toMatchObject({ kind: "pod", isHeld: false });
  proxy.answer();
  expect(agent().kinds).toContain("serve");
});

test("a pod is prepared when its own worker says so, until that ends", () => {
  const { proxy } = running({ isHeld: true });
  const given = handed("a", 0);
  proxy.adopt([given], false);
  worker(1).write(encodeWorkerRecord({ kind: "prepared", slot: given.pod.slot }));
  expect(proxy.isPrepared(given.pod)).toBe(false);
  worker(0).write(encodeWorkerRecord({ kind: "prepared", slot: given.pod.slot }));
  expect(proxy.isPrepared(given.pod)).toBe(true);
  crash(0);
  expect(proxy.isPrepared(given.pod)).toBe(false);
  agent().write(encodeAgentRecord({ kind: "synced" }));
  expect(proxy.isSynced).toBe(true);
});

test("while pods are handed over none comes or goes, and what had begun is done first", async () => {
  const { proxy } = running();
  const captured = Promise.withResolvers<void>();
  namespaces.start = () => captured.promise;
  const first = proxy.enrol(pod("a"));
  const { release, settled } = proxy.hold();
  const second = proxy.enrol(pod("b"));
  const withdrawn = proxy.withdraw("a");
  captured.resolve();
  await first;
  await settled;
  expect(proxy.pods.map(({ pod: { record } }) => record.uid)).toEqual(["a"]);
  release();
  await Promise.all([second, withdrawn]);
  expect(proxy.pods.map(({ pod: { record } }) => record.uid)).toEqual(["b"]);
});

test("a proxy that retires has everybody end by himself, starts nobody, and touches no rule", async () => {
  const { proxy } = running();
  await proxy.enrol(pod("a"));
  const over = vi.fn<() => void>();
  proxy.retire(30_000, over);
  expect([worker(0), worker(1)].map(({ messages }) => messages.at(-1))).toEqual([
    { kind: "retire", drainMs: 30_000 },
    { kind: "retire", drainMs: 30_000 },
  ]);
  expect(agent().kinds.at(-1)).toBe("retire");
  worker(0).write(encodeWorkerRecord({ kind: "draining", count: 3 }));
  worker(1).write(encodeWorkerRecord({ kind: "draining", count: 2 }));
  expect(proxy.connectionsLeft).toBe(5);
  worker(0).end("exit code 0");
  expect(proxy.connectionsLeft).toBe(2);
  const all = FakeProcess.started.length;
  worker(1).end("exit code 0");
  // Its channel is closed, and it ends.
  expect(over).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(120_000);
  expect(FakeProcess.started.length).toBe(all);
  expect(namespaces.done).toEqual(["start a", "close a"]);
});

test("a worker that does not end long after the time to drain is ended", () => {
  const { proxy } = running();
  proxy.retire(30_000, () => undefined);
  vi.advanceTimersByTime(30_000);
  expect(worker(0).wasKilled).toBe(false);
  vi.advanceTimersByTime(10_000);
  expect(worker(0).wasKilled).toBe(true);
});

test("nothing stays open of a pod that the next supervisor has let go of", async () => {
  const { proxy } = running();
  await proxy.enrol(pod("a"));
  proxy.retire(30_000, () => undefined);
  proxy.letGo("a");
  expect(worker(0).kinds.at(-1)).toBe("release");
  expect(namespaces.done).toEqual(["start a", "close a", "forget a"]);
});
