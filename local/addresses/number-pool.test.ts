import { assert, array, integer, property } from "fast-check";
import { expect, test } from "vitest";
import { unwrap } from "#mesh/result.ts";
import { emptyPool, keepNumbers, type NumberPool, takeNumber } from "./number-pool.ts";

const range = { first: 10, last: 14 };

const takeAll = (pool: NumberPool, ...keys: readonly string[]): NumberPool =>
  keys.reduce((current, key) => unwrap(takeNumber(current, range, key)).pool, pool);

test("whoever asks again gets the number it has", () => {
  const pool = takeAll(emptyPool(range), "a", "b");
  expect(unwrap(takeNumber(pool, range, "a")).number).toBe(10);
});

test("a number that was given back is not used again while another is free", () => {
  const pool = keepNumbers(takeAll(emptyPool(range), "a", "b"), new Set(["b"]));
  expect(takeAll(pool, "c", "d", "e").taken).toEqual({ b: 11, c: 12, d: 13, e: 14 });
});

test("when the end is reached the numbers that were given back are used", () => {
  const pool = keepNumbers(takeAll(emptyPool(range), "a", "b", "c", "d", "e"), new Set(["b", "c", "d", "e"]));
  expect(unwrap(takeNumber(pool, range, "f")).number).toBe(10);
});

test("when all numbers are taken, that is said", () => {
  const pool = takeAll(emptyPool(range), "a", "b", "c", "d", "e");
  expect(takeNumber(pool, range, "f")).toEqual({ ok: false, error: "all 5 addresses are taken" });
});

test("a number that is in use for another reason is left out, even by whoever has it", () => {
  const pool = takeAll(emptyPool(range), "a");
  const moved = unwrap(takeNumber(pool, range, "a", new Set([10, 11])));
  expect(moved.number).toBe(12);
  expect(moved.pool.taken).toEqual({ a: 12 });
});

test("no two hold the same number, whatever is taken and given back", () => {
  assert(
    property(array(integer({ min: 0, max: 7 })), (steps) => {
      let pool = emptyPool(range);
      for (const step of steps) {
        const taken = takeNumber(pool, range, `k${step}`);
        if (taken.ok) pool = taken.value.pool;
        else pool = keepNumbers(pool, new Set(Object.keys(pool.taken).slice(1)));
        expect(new Set(Object.values(pool.taken)).size).toBe(Object.keys(pool.taken).length);
      }
    }),
  );
});
