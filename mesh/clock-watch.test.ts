import { expect, test } from "vitest";
import { ClockWatch } from "./clock-watch.ts";

test("a clock that goes as it should, or a process that is late, is no jump", () => {
  const watch = new ClockWatch(1_000, 5);
  expect([1_005, 2_100, 9_000, 9_000].map((now) => watch.look(now))).toEqual([0, 0, 0, 0]);
});

test("a clock that is set is noticed once, forward and back", () => {
  const watch = new ClockWatch(1_000, 0);
  expect([101_000, 102_000, 3_000, 4_000].map((now) => watch.look(now))).toEqual([100_000, 0, -100_000, 0]);
});
