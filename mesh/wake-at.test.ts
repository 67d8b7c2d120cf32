import { expect, test, vi } from "vitest";
import { ManualClock } from "./testing/manual-clock.ts";
import { wakeAt } from "./wake-at.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const sleeping = (delayMs: number) => {
  const clock = new ManualClock();
  const action = vi.fn<() => void>();
  return { clock, action, cancel: wakeAt(clock, clock.now() + delayMs, action) };
};

test.each([-1, 0, 1, MINUTE_MS, MINUTE_MS + 1, 30 * DAY_MS])("it comes once, %d ms from now", (delayMs) => {
  const { clock, action } = sleeping(delayMs);
  clock.advance(Math.max(0, delayMs) - 1);
  expect(action).not.toHaveBeenCalled();
  clock.advance(1);
  expect(action).toHaveBeenCalledTimes(1);
  clock.advance(DAY_MS);
  expect([action.mock.calls.length, clock.waiting]).toEqual([1, 0]);
});

test("a clock that goes forward, as that of a machine that slept, makes it late by a minute and no more", () => {
  const { clock, action } = sleeping(12 * HOUR_MS);
  clock.advance(HOUR_MS);
  clock.jump(DAY_MS);
  clock.advance(MINUTE_MS);
  expect(action).toHaveBeenCalledTimes(1);
});

test("a clock that goes back does not put it off, also one that had gone forward before", () => {
  const { clock, action } = sleeping(HOUR_MS);
  clock.advance(30 * MINUTE_MS);
  clock.jump(-10 * 365 * DAY_MS);
  clock.advance(30 * MINUTE_MS - 1);
  expect(action).not.toHaveBeenCalled();
  clock.advance(1);
  expect(action).toHaveBeenCalledTimes(1);
});

test("what is cancelled does not come, whenever that is", () => {
  for (const passedMs of [0, MINUTE_MS, 90_000]) {
    const { clock, action, cancel } = sleeping(HOUR_MS);
    clock.advance(passedMs);
    cancel();
    clock.advance(DAY_MS);
    expect([action.mock.calls.length, clock.waiting]).toEqual([0, 0]);
  }
});
