import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { encodeWorkerRecord } from "../channel/worker-record.ts";
import { FakeProcess } from "../testing/fake-confined-process.ts";
import type { Log } from "./log.ts";
import { readSettings } from "./settings.ts";
import { Workers, type WorkerEvents } from "./workers.ts";

vi.mock("./confined-process.ts", () => ({ ConfinedProcess: FakeProcess }));

beforeEach(() => {
  vi.useFakeTimers();
  FakeProcess.started.length = 0;
  FakeProcess.failures = 0;
});
afterEach(() => void vi.useRealTimers());

/** Two workers, and what is said of them. */
const running = (environment: Readonly<Record<string, string>> = {}) => {
  const settings = readSettings({
    HEDDLE_NODE: "node-1",
    HEDDLE_RUN_DIR: "/run",
    HEDDLE_PROGRAM: "/opt/heddle",
    HEDDLE_WORKERS: "2",
    ...environment,
  });
  const events = {
    started: vi.fn<WorkerEvents["started"]>(),
    ended: vi.fn<WorkerEvents["ended"]>(),
    record: vi.fn<WorkerEvents["record"]>(),
  };
  const log = vi.fn<Log>();
  const workers = new Workers(settings, log, () => Date.now(), events);
  workers.start();
  return { workers, events, log };
};

const count = (title: string): number => FakeProcess.started.filter(({ program }) => program.title === title).length;

test("each worker is started under a user id of its own, after the agent's, without a network", () => {
  const { events } = running({ HEDDLE_FIRST_UID: "64000" });
  expect(FakeProcess.started.map(({ program }) => program)).toMatchObject([
    { title: "worker 0", uid: 64_001, hasNetwork: false, environment: { HEDDLE_WORKER: "0" } },
    { title: "worker 1", uid: 64_002, hasNetwork: false, environment: { HEDDLE_WORKER: "1" } },
  ]);
  expect(events.started.mock.calls.map(([{ index, restarts }]) => [index, restarts])).toEqual([
    [0, 0],
    [1, 0],
  ]);
});

test("where only one user id is mapped the workers keep it", () => {
  running();
  expect(FakeProcess.started.map(({ program }) => program.uid)).toEqual([undefined, undefined]);
});

test("a worker that ends is started again at once, as another life, and its end is told before that", () => {
  const { events, workers, log } = running();
  const [first] = events.started.mock.calls[0] ?? [];
  FakeProcess.latest("worker 0").end("SIGSEGV");
  expect(events.ended.mock.calls).toEqual([[first, "SIGSEGV"]]);
  expect(workers.get(0)).toBeUndefined();
  vi.advanceTimersByTime(0);
  const [second] = events.started.mock.lastCall ?? [];
  expect(second).toMatchObject({ index: 0, restarts: 1 });
  expect(second?.startId).not.toBe(first?.startId);
  expect([workers.get(0), count("worker 1")]).toEqual([second, 1]);
  expect(log.mock.calls[0]).toMatchObject(["error", "worker ended", { worker: 0, reason: "SIGSEGV" }]);
});

test("a worker that cannot start is tried ever more slowly, and the others do not wait for it", () => {
  const { events } = running();
  const pauses: number[] = [];
  for (let restart = 0; restart < 7; restart++) {
    const before = count("worker 0");
    const endedAt = Date.now();
    FakeProcess.latest("worker 0").end();
    while (count("worker 0") === before) vi.advanceTimersToNextTimer();
    pauses.push(Date.now() - endedAt);
  }
  expect(pauses).toEqual([0, 50, 200, 1_000, 5_000, 5_000, 5_000]);
  expect(events.started.mock.lastCall?.[0].restarts).toBe(7);
  expect(count("worker 1")).toBe(1);
});

test("a worker that lived for ten seconds starts from the first pause again", () => {
  running();
  for (let restart = 0; restart < 4; restart++) {
    FakeProcess.latest("worker 0").end();
    vi.advanceTimersByTime(5_000);
  }
  vi.advanceTimersByTime(10_001);
  const before = count("worker 0");
  FakeProcess.latest("worker 0").end();
  vi.advanceTimersByTime(0);
  expect(count("worker 0")).toBe(before + 1);
  FakeProcess.latest("worker 0").end();
  vi.advanceTimersByTime(50);
  expect(count("worker 0")).toBe(before + 2);
});

test("a worker for which the system has no room is tried again, and nobody is told of it before it runs", () => {
  FakeProcess.failures = 3;
  const { events, workers, log } = running();
  expect([events.started.mock.calls.length, workers.indexes]).toEqual([0, [0, 1]]);
  expect(log.mock.calls[0]).toMatchObject(["error", "worker cannot be started", { error: "Error: spawn EMFILE" }]);
  vi.advanceTimersByTime(1_000);
  expect(events.started.mock.calls.length).toBe(2);
  expect(events.ended).not.toHaveBeenCalled();
});

test("a worker that is removed is killed and stays away, also when it was about to be started again", () => {
  const { workers, events } = running();
  workers.remove(0);
  expect(FakeProcess.latest("worker 0").wasKilled).toBe(true);
  FakeProcess.latest("worker 0").end("SIGKILL");
  FakeProcess.latest("worker 1").end();
  workers.remove(1);
  vi.advanceTimersByTime(60_000);
  expect([count("worker 0"), count("worker 1"), workers.indexes]).toEqual([1, 1, []]);
  expect(events.ended.mock.calls.length).toBe(2);
});

test("a worker for pods that are to be alone has a number that nobody has or is about to leave", () => {
  const { workers } = running();
  const first = workers.addIsolated();
  const second = workers.addIsolated();
  expect([first, second, workers.isIsolated(first), workers.isIsolated(0)]).toEqual([2, 3, true, false]);
  workers.remove(first);
  expect(workers.addIsolated()).toBe(4);
  FakeProcess.latest("worker 2").end("SIGKILL");
  expect(workers.addIsolated()).toBe(2);
});

test("records are handed on with their worker, however they are cut", () => {
  const { events, workers } = running();
  const need = { kind: "need", slot: 3, sockets: "local", count: 9 } as const;
  const bytes = Buffer.concat([encodeWorkerRecord({ kind: "ready" }), encodeWorkerRecord(need)]);
  for (const byte of bytes) FakeProcess.latest("worker 1").write(Uint8Array.of(byte));
  expect(events.record.mock.calls).toEqual([
    [workers.get(1), { kind: "ready" }],
    [workers.get(1), need],
  ]);
});

test.each([
  ["no record", new Uint8Array(16).fill(255)],
  ["to be ready for a second time", encodeWorkerRecord({ kind: "ready" })],
])("a worker that says %s is ended", (_, bytes) => {
  const { log, events } = running();
  const worker = FakeProcess.latest("worker 0");
  const good = encodeWorkerRecord({ kind: "need", slot: 1, sockets: "local", count: 1 });
  worker.write(encodeWorkerRecord({ kind: "ready" }));
  worker.write(Buffer.concat([bytes, bytes, good]));
  worker.write(good);
  expect([worker.wasKilled, events.record.mock.calls.length]).toEqual([true, 1]);
  expect(log.mock.calls).toEqual([["error", "worker sent a malformed record; ending it", { worker: 0 }]]);
});

test("a worker that says more than any honest one is ended, one that says as much for ever is not", () => {
  const { events, log } = running();
  const good = encodeWorkerRecord({ kind: "need", slot: 1, sockets: "local", count: 1 });
  const many = (count: number): Uint8Array => Buffer.concat(Array.from({ length: count }, () => good));
  const [honest, flooding] = [FakeProcess.latest("worker 0"), FakeProcess.latest("worker 1")];
  honest.write(many(200_000));
  for (let second = 0; second < 10; second++) {
    vi.advanceTimersByTime(1_000);
    honest.write(many(20_000));
  }
  expect([honest.wasKilled, events.record.mock.calls.length]).toEqual([false, 400_000]);
  flooding.write(many(200_001));
  flooding.write(many(1_000));
  expect([flooding.wasKilled, events.record.mock.calls.length]).toEqual([true, 600_000]);
  expect(log.mock.calls).toEqual([
    ["error", "worker sent more records than any honest worker; ending it", { worker: 1 }],
  ]);
});
