import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SocketAllowance } from "./socket-allowance.ts";

const allowanceAt = (start = 0) => {
  const time = { now: start };
  return { time, allowance: new SocketAllowance(() => time.now) };
};

test("a worker may ask for 20,000 at once, and is given no more than it asks for", () => {
  const { allowance } = allowanceAt();
  expect(allowance.take(64)).toBe(64);
  expect(allowance.take(2 ** 32 - 1)).toBe(20_000 - 64);
  expect(allowance.take(1)).toBe(0);
});

test("20 more come every millisecond, and what is not used is not saved beyond the burst", () => {
  const { allowance, time } = allowanceAt(1e6);
  allowance.take(20_000);
  time.now += 1;
  expect(allowance.take(100)).toBe(20);
  time.now += 3_600_000;
  expect(allowance.take(100_000)).toBe(20_000);
});

test("whatever a worker asks for, it never gets more than its burst and its rate", () => {
  const step = fc.record({ wanted: fc.nat(2 ** 31), ms: fc.nat(500) });
  const property = fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
    const { allowance, time } = allowanceAt();
    let given = 0;
    for (const { wanted, ms } of steps) {
      time.now += ms;
      const granted = allowance.take(wanted);
      expect(Number.isInteger(granted) && granted >= 0 && granted <= wanted).toBe(true);
      given += granted;
    }
    expect(given).toBeLessThanOrEqual(20_000 + time.now * 20);
  });
  fc.assert(property);
});

test("what was handed out lately halves every ten seconds; what was refused does not count", () => {
  const { allowance, time } = allowanceAt();
  allowance.take(50_000);
  expect(allowance.recent).toBe(20_000);
  time.now += 10_000;
  expect(allowance.recent).toBeCloseTo(10_000);
  time.now += 20_000;
  expect(allowance.recent).toBeCloseTo(2_500);
});
