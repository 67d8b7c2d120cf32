import { expect, test } from "vitest";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { Debounce } from "./debounce.ts";

const setUp = () => {
  const clock = new ManualClock(0);
  const runs: number[] = [];
  const debounce = new Debounce({ quietMs: 50, maxMs: 500 }, clock, () => runs.push(clock.now()));
  return { clock, runs, debounce };
};

test("requests that come close together are done once, when it is quiet", () => {
  const { clock, runs, debounce } = setUp();
  for (let count = 0; count < 5; count++) {
    debounce.request();
    clock.advance(30);
  }
  clock.advance(1_000);
  expect(runs).toEqual([170]);
});

test("work is not put off for ever", () => {
  const { clock, runs, debounce } = setUp();
  for (let count = 0; count < 40; count++) {
    debounce.request();
    clock.advance(30);
  }
  clock.advance(1_000);
  expect(runs).toEqual([500, 1_010, 1_220]);
});

test("nothing happens after the end", () => {
  const { clock, runs, debounce } = setUp();
  debounce.request();
  debounce.stop();
  clock.advance(1_000);
  expect(runs).toEqual([]);
});
