import * as fc from "fast-check";
import { expect, test } from "vitest";
import { settled } from "#mesh/testing/manual-clock.ts";
import { type Priority, RequestQueue } from "./request-queue.ts";

/** A queue whose jobs end when the test says so. */
const queueOf = (maxConcurrent: number) => {
  const queue = new RequestQueue(maxConcurrent);
  const begun: string[] = [];
  const endings: (() => void)[] = [];
  const add = (name: string, priority: Priority = "first"): (() => void) =>
    queue.add(priority, () => {
      begun.push(name);
      const { promise, resolve } = Promise.withResolvers<void>();
      endings.push(resolve);
      return promise;
    });
  const endOne = async (): Promise<void> => {
    endings.shift()?.();
    await settled();
  };
  return { add, begun, endOne };
};

test("no more jobs run at once than may, and each that ends makes room for one", async () => {
  const { add, begun, endOne } = queueOf(2);
  for (const name of ["a", "b", "c", "d"]) add(name);
  expect(begun).toEqual(["a", "b"]);
  await endOne();
  expect(begun).toEqual(["a", "b", "c"]);
});

test("what is waited for goes before renewals, and each kind keeps its order", async () => {
  const { add, begun, endOne } = queueOf(1);
  add("running");
  add("renewal 1", "renewal");
  add("renewal 2", "renewal");
  add("first 1");
  add("first 2");
  for (let ended = 0; ended < 4; ended++) await endOne();
  expect(begun).toEqual(["running", "first 1", "first 2", "renewal 1", "renewal 2"]);
});

test("a job that is taken back while it waits never begins; one that has begun goes on", async () => {
  const { add, begun, endOne } = queueOf(1);
  const takeBackRunning = add("running");
  const takeBackWaiting = add("waiting");
  add("next");
  takeBackRunning();
  takeBackWaiting();
  expect(begun).toEqual(["running"]);
  await endOne();
  expect(begun).toEqual(["running", "next"]);
});

test("every job runs exactly once, whatever comes and ends when", async () => {
  const step = fc.constantFrom("first", "renewal", "end");
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 30 }),
    fc.integer({ min: 1, max: 4 }),
    async (steps, max) => {
      const { add, begun, endOne } = queueOf(max);
      const added: string[] = [];
      for (const [index, kind] of steps.entries()) {
        if (kind === "end") await endOne();
        else {
          added.push(String(index));
          add(String(index), kind);
        }
      }
      for (let rest = 0; rest < added.length; rest++) await endOne();
      expect(begun.toSorted()).toEqual(added.toSorted());
    },
  );
  await fc.assert(property, { numRuns: 50 });
});
