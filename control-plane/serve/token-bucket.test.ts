import { expect, test } from "vitest";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { TokenBucket } from "./token-bucket.ts";

const takeAll = (bucket: TokenBucket): number => {
  let taken = 0;
  while (bucket.take()) taken += 1;
  return taken;
};

test("a burst is let through, then so many a second, and never more than a burst", () => {
  const clock = new ManualClock();
  const bucket = new TokenBucket({ burst: 10, perSecond: 4 }, clock);
  expect(takeAll(bucket)).toBe(10);
  clock.advance(500);
  expect(takeAll(bucket)).toBe(2);
  clock.advance(3_600_000);
  expect(takeAll(bucket)).toBe(10);
});

test("a clock that is set back does not stop the refilling", () => {
  let now = 1_000_000;
  const bucket = new TokenBucket({ burst: 2, perSecond: 1 }, { now: () => now });
  takeAll(bucket);
  now = 0;
  expect(takeAll(bucket)).toBe(0);
  now = 1_000;
  expect(takeAll(bucket)).toBe(1);
});
