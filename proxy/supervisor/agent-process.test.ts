import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { encodeAgentRecord } from "../channel/agent-record.ts";
import { FakeProcess } from "../testing/fake-confined-process.ts";
import { type AgentEvents, AgentProcess } from "./agent-process.ts";
import type { Log } from "./log.ts";
import { readSettings } from "./settings.ts";

vi.mock("./confined-process.ts", () => ({ ConfinedProcess: FakeProcess }));

beforeEach(() => {
  vi.useFakeTimers();
  FakeProcess.started.length = 0;
  FakeProcess.failures = 0;
});
afterEach(() => void vi.useRealTimers());

const running = () => {
  const settings = readSettings({ HEDDLE_NODE: "node-1", HEDDLE_RUN_DIR: "/run", HEDDLE_PROGRAM: "/opt/heddle" });
  const log = vi.fn<Log>();
  const events = {
    started: vi.fn<AgentEvents["started"]>(),
    finished: vi.fn<AgentEvents["finished"]>(),
    record: vi.fn<AgentEvents["record"]>(),
  };
  const agent = new AgentProcess(settings, log, () => Date.now(), events);
  agent.start();
  return { agent, log, events, latest: () => FakeProcess.latest("agent") };
};

const alive = encodeAgentRecord({ kind: "alive" });

test("an agent that was heard of and then says nothing at ten looks is ended at the next, and replaced", () => {
  const { events, latest } = running();
  const first = latest();
  first.write(alive);
  vi.advanceTimersByTime(10_500);
  expect(first.wasKilled).toBe(false);
  vi.advanceTimersByTime(1_000);
  expect(first.wasKilled).toBe(true);
  first.end("SIGKILL");
  vi.advanceTimersByTime(0);
  expect(latest()).not.toBe(first);
  expect(events.started).toHaveBeenCalledTimes(2);
  expect(events.record).not.toHaveBeenCalled();
});

test("every word of an agent counts, and one that goes on talking lives on", () => {
  const { latest } = running();
  for (let second = 0; second < 120; second += 6) {
    latest().write(second % 12 === 0 ? alive : encodeAgentRecord({ kind: "synced" }));
    vi.advanceTimersByTime(6_000);
  }
  expect(latest().wasKilled).toBe(false);
});

test("an agent gets a minute for its first word, each one anew", () => {
  const { latest } = running();
  vi.advanceTimersByTime(60_500);
  expect(latest().wasKilled).toBe(false);
  const first = latest();
  first.end("SIGSEGV");
  vi.advanceTimersByTime(60_000);
  expect(latest()).not.toBe(first);
  expect(latest().wasKilled).toBe(false);
  vi.advanceTimersByTime(1_000);
  expect(latest().wasKilled).toBe(true);
});

test("a supervisor that was held up does not blame its agent: it looks once when it goes on, however late it is", () => {
  const { latest } = running();
  latest().write(alive);
  vi.advanceTimersByTime(9_500);
  // The time of day and the clock that only goes forward are far ahead, the timers are not.
  vi.setSystemTime(Date.now() + 600_000);
  vi.advanceTimersByTime(1_000);
  expect(latest().wasKilled).toBe(false);
});

test("an agent that is to end, or was stopped, is not looked at any more", () => {
  const { agent, latest, log } = running();
  latest().write(alive);
  agent.finish();
  vi.advanceTimersByTime(2_000);
  expect(latest().wasKilled).toBe(false);
  latest().end("exit code 0");
  vi.advanceTimersByTime(120_000);
  expect(vi.getTimerCount()).toBe(0);
  expect(log.mock.calls.map(([, text]) => text)).not.toContain("agent says nothing; ending it");
  expect(FakeProcess.started.length).toBe(1);
});
