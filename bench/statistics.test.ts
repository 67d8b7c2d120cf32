import { expect, test } from "vitest";
import { ratios, summary } from "./statistics.ts";

test.each([
  ["one value is all of it", [3], { median: 3, min: 3, max: 3 }],
  ["an odd number has one in the middle", [9, 1, 5], { median: 5, min: 1, max: 9 }],
  ["an even number has two, and their mean counts", [10, 1, 2, 4], { median: 3, min: 1, max: 10 }],
  ["rounds that failed do not count", [undefined, 7, undefined, 9], { median: 8, min: 7, max: 9 }],
  ["nothing measured is no number", [undefined], undefined],
])("%s", (_, values, expected) => {
  expect(summary(values)).toEqual(expected);
});

test("a ratio compares what was measured in the same round", () => {
  expect(ratios([2, 6, undefined, 1], [1, 2, 3, 0])).toEqual([2, 3, undefined, undefined]);
});
