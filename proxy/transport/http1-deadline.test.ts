import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Deadline } from "./http1-deadline.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  vi.spyOn(performance, "now").mockImplementation(() => Date.now());
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test("passes once, after the time that was set last", () => {
  const passed = vi.fn<() => void>();
  const deadline = new Deadline(passed);
  deadline.set(100);
  vi.advanceTimersByTime(60);
  deadline.set(100);
  vi.advanceTimersByTime(99);
  expect(passed).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(passed).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1000);
  expect(passed).toHaveBeenCalledTimes(1);
  deadline.set(10);
  vi.advanceTimersByTime(10);
  expect(passed).toHaveBeenCalledTimes(2);
});

test("can be moved to an earlier time", () => {
  const passed = vi.fn<() => void>();
  const deadline = new Deadline(passed);
  deadline.set(1000);
  deadline.set(10);
  vi.advanceTimersByTime(10);
  expect(passed).toHaveBeenCalledTimes(1);
});

test("moving it later keeps the timer that runs", () => {
  const deadline = new Deadline(() => undefined);
  const set = vi.spyOn(globalThis, "setTimeout");
  for (let moves = 0; moves < 100; moves += 1) deadline.set(1000 + moves);
  expect(set).toHaveBeenCalledTimes(1);
});

test.each(["clear", "stop"] as const)("does not pass after %s", (end) => {
  const passed = vi.fn<() => void>();
  const deadline = new Deadline(passed);
  deadline.set(100);
  deadline[end]();
  vi.advanceTimersByTime(1000);
  expect(passed).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});
