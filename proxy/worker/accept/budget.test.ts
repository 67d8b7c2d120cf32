import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Budget } from "./budget.ts";

test("so many may be taken and no more, and one that is given back may be taken again", () => {
  const budget = new Budget(2);
  const [first, second] = [budget.take(), budget.take()];
  expect([first, second].every((release) => release !== undefined)).toBe(true);
  expect(budget.take()).toBeUndefined();
  first?.();
  expect(budget.used).toBe(1);
  expect(budget.take()).toBeDefined();
  expect(budget.take()).toBeUndefined();
});

test("several are taken together or not at all", () => {
  const budget = new Budget(3);
  const two = budget.take(2);
  expect(budget.take(2)).toBeUndefined();
  expect(budget.used).toBe(2);
  two?.();
  expect(budget.used).toBe(0);
});

test("what is given back twice counts once, whatever was taken meanwhile", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant("take" as const), fc.nat(20)), { maxLength: 50 }), (steps) => {
      const budget = new Budget(5);
      const taken: (() => void)[] = [];
      const open = new Set<number>();
      for (const step of steps) {
        if (step === "take") {
          const release = budget.take();
          expect(release !== undefined).toBe(open.size < 5);
          if (release) open.add(taken.push(release) - 1);
        } else {
          taken[step]?.();
          open.delete(step);
        }
        expect(budget.used).toBe(open.size);
      }
    }),
  );
});
