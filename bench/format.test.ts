import { expect, test } from "vitest";
import { formatNumber, formatSummary } from "./format.ts";

test.each([
  [0.123_4, "0.12"],
  [9.999, "10.0"],
  [12.34, "12.3"],
  [123.4, "123"],
  [9_994, "9994"],
  [12_345, "12.3k"],
  [123_456, "123k"],
  [4_567_890, "4.57M"],
  [-3.456, "-3.46"],
])("%d is written as %s", (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

test.each([
  [undefined, "-"],
  [{ median: 2, min: 2, max: 2 }, "2.00"],
  [{ median: 2, min: -1, max: 3 }, "2.00 (-1.00..3.00)"],
])("%j is written as %s", (value, text) => {
  expect(formatSummary(value)).toBe(text);
});
