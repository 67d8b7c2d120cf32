import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RetryBudget } from "./retry-budget.ts";
import type { RetryConstraint } from "./route.ts";
import { SlidingCount } from "./sliding-count.ts";

const constraint = (changes: Partial<RetryConstraint> = {}): RetryConstraint => ({
  percent: 20,
  intervalMs: 10_000,
  minRetries: 1,
  minRetriesIntervalMs: 1_000,
  ...changes,
});

const budgetOf = (changes: Partial<RetryConstraint> = {}) => {
  let now = 1_000_000;
  const budget = new RetryBudget(constraint(changes), () => now);
  return {
    budget,
    pass: (ms: number) => (now += ms),
    requests: (count: number) => {
      for (let index = 0; index < count; index++) budget.noteRequest();
    },
    /** How many retries there are at once. */
    retries: (): number => {
      let count = 0;
      while (count < 10_000 && budget.takeRetry()) count++;
      return count;
    },
  };
};

test("a fifth of everything that is sent may be retries", () => {
  const { requests, retries } = budgetOf();
  requests(80);
  expect(retries()).toBe(20);
  requests(4);
  expect(retries()).toBe(1);
});

test("a few retries are allowed in any case, again and again, however few requests there are", () => {
  const { requests, retries, pass } = budgetOf({ minRetries: 3 });
  requests(1);
  expect(retries()).toBe(3);
  pass(500);
  expect(retries()).toBe(0);
  pass(601);
  expect(retries()).toBe(3);
});

test.each([
  [0, 0],
  [100, 10_000],
])("of a budget of %i percent %i retries are left after 50 requests, beyond those that are free", (percent, left) => {
  const { requests, retries } = budgetOf({ percent });
  requests(50);
  expect(retries()).toBe(Math.min(10_000, left + 1));
});

test("what was sent is forgotten after the interval, requests and retries alike", () => {
  const { requests, retries, pass } = budgetOf();
  requests(80);
  expect(retries()).toBe(20);
  pass(11_001);
  expect(retries()).toBe(1);
  requests(80);
  pass(5_000);
  // One of the 20 was taken before the pause.
  expect(retries()).toBe(19);
});

test("a window counts everything within it, and nothing that is older by more than a tenth of it", () => {
  const steps = fc.array(fc.record({ afterMs: fc.nat(400), isAsked: fc.boolean() }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, fc.nat(10_000), fc.constantFrom(1, 100, 1_000), (list, start, windowMs) => {
      let now = start;
      const count = new SlidingCount(windowMs, () => now);
      const added: number[] = [];
      for (const { afterMs, isAsked } of list) {
        now += afterMs;
        if (isAsked) {
          const { total } = count;
          expect(total).toBeGreaterThanOrEqual(added.filter((at) => now - at < windowMs).length);
          expect(total).toBeLessThanOrEqual(added.filter((at) => now - at < windowMs * 1.1).length);
        } else {
          count.add();
          added.push(now);
        }
      }
    }),
  );
});

test("a clock that goes back or jumps far ahead neither loses the count nor takes long", () => {
  let now = 1e12;
  const count = new SlidingCount(1, () => now);
  count.add();
  now = 0;
  count.add();
  expect(count.total).toBe(2);
  now = 1e13;
  expect(count.total).toBe(0);
});
