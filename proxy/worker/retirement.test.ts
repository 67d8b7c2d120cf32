import { expect, test, vi } from "vitest";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { LAST_END_MS } from "./exchange/splice.ts";
import { Retirement } from "./retirement.ts";
import type { ServedPod } from "./served-pod.ts";

const DRAIN_MS = 30_000;

/** A worker with one pod that has connections left. */
const retiring = (connections: number, carriers = 0) => {
  const clock = new ManualClock();
  const pod = {
    remaining: { connections, carriers },
    retire: vi.fn<() => void>(),
    endExchanges: vi.fn<() => void>(),
    close: vi.fn<() => void>(),
  };
  const left: number[] = [];
  const over = vi.fn<() => void>();
  const pods = [pod as unknown as ServedPod];
  const retirement = new Retirement(() => pods, DRAIN_MS, clock, { left: (count) => void left.push(count), over });
  const calls = () => [pod.endExchanges, pod.close, over].map(({ mock }) => mock.calls.length);
  return { clock, pod, left, calls, retirement };
};

test("a worker with nothing open is over at once, and takes no more before that", () => {
  const { pod, left, calls } = retiring(0);
  expect(pod.retire).toHaveBeenCalledTimes(1);
  expect(left).toEqual([0]);
  expect(calls()).toEqual([0, 0, 1]);
});

test("what is open may end by itself, and what carried it too", () => {
  const { clock, pod, left, calls } = retiring(2, 1);
  clock.advance(1_000);
  pod.remaining = { connections: 0, carriers: 1 };
  clock.advance(1_000);
  expect([left[0], left.at(-1)]).toEqual([2, 0]);
  expect(calls()).toEqual([0, 0, 0]);
  pod.remaining = { connections: 0, carriers: 0 };
  clock.advance(1_000);
  expect(calls()).toEqual([0, 0, 1]);
});

test("what is open at the deadline is ended in order, and let go of when it takes no notice", () => {
  const { clock, calls } = retiring(1);
  clock.advance(DRAIN_MS - 1);
  expect(calls()).toEqual([0, 0, 0]);
  clock.advance(200);
  expect(calls()[0]).toBeGreaterThan(0);
  expect(calls().slice(1)).toEqual([0, 0]);
  clock.advance(LAST_END_MS + 10_000);
  expect(calls().slice(1)).toEqual([1, 1]);
});
