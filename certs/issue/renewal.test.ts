import * as fc from "fast-check";
import { expect, test } from "vitest";

import { renewalTime } from "./renewal.ts";

const HOUR_MS = 3_600_000;

test("a certificate of 24 hours is renewed after 12, plus and minus 10 %", () => {
  const at = (random: number) => renewalTime({ from: 0, until: 24 * HOUR_MS }, () => random) / HOUR_MS;
  expect([at(0), at(0.5), at(1)]).toEqual([10.8, 12, 13.2]);
});

test("however long it lives, a certificate is renewed within its life and no two need be renewed together", () => {
  const any = fc.record({
    from: fc.nat(),
    lifeMs: fc.integer({ min: 1000, max: 1e12 }),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(any, ({ from, lifeMs, random }) => {
      const part = (renewalTime({ from, until: from + lifeMs }, () => random) - from) / lifeMs;
      expect(part).toBeGreaterThanOrEqual(0.449);
      expect(part).toBeLessThanOrEqual(0.551);
    }),
  );
});
