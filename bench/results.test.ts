import { expect, test } from "vitest";
import { Results } from "./results.ts";

test("a round that failed leaves a gap, so that rounds can be compared", () => {
  const results = new Results(3);
  results.add(0, "haproxy", { bulk: 1, p50: 2 });
  results.add(2, "haproxy", { bulk: 3 });
  expect(results.of("bulk", "haproxy")).toEqual([1, undefined, 3]);
  expect(results.of("p50", "haproxy")).toEqual([2]);
  expect(results.of("bulk", "heddle")).toEqual([]);
});

test("what is noted twice is said once, and everything is in the JSON", () => {
  const results = new Results(1);
  results.add(0, "heddle", { bulk: 1 });
  for (const text of ["a", "b", "a"]) results.note(text);
  expect(JSON.parse(JSON.stringify(results))).toEqual({
    rounds: 1,
    values: { bulk: { heddle: [1] } },
    notes: ["a", "b"],
  });
});
