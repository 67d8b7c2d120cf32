import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";

test.each([
  ["1h30m", 5_400_000],
  ["250ms", 250],
  ["0s", 0],
  ["10s30m1h", 5_410_000],
  ["1h1h", 7_200_000],
])("GEP-2257: %s is %i ms", (text, durationMs) => {
  expect(parseDuration(text)).toEqual({ ok: true, value: durationMs });
});

test.each(["", "1", "1d", "-1s", "1.5h", "1 h", "123456s", "1h1m1s1ms1h", "s", "99999h99999h", "1h\n"])(
  "GEP-2257: %j is no duration",
  (text) => {
    expect(parseDuration(text).ok).toBe(false);
  },
);

test("what is written parses back", () => {
  fc.assert(
    fc.property(fc.nat(99_999 * 3_600_000), (durationMs) => {
      expect(parseDuration(formatDuration(durationMs))).toEqual({ ok: true, value: durationMs });
    }),
  );
});
