import { expect, test } from "vitest";
import { backoffDelayMs } from "./backoff.ts";

const settings = { firstMs: 100, maxMs: 1_000, jitter: 0.2 };

test("delays double up to the limit", () => {
  const delays = [0, 1, 2, 3, 4, 1_000].map((attempt) => backoffDelayMs(settings, attempt, () => 0.5));
  expect(delays).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});

test("jitter spreads a delay over 20 % to both sides", () => {
  expect(backoffDelayMs(settings, 0, () => 0)).toBeCloseTo(80);
  expect(backoffDelayMs(settings, 0, () => 1)).toBeCloseTo(120);
});
