import { expect, test } from "vitest";
import { chooseCores, parseCoreList } from "./pinning.ts";

test.each([
  ["0-1", [0, 1]],
  ["3", [3]],
  ["0-2,8,10-11\n", [0, 1, 2, 8, 10, 11]],
  ["", []],
])("the cores of %j are known", (text, cores) => {
  expect(parseCoreList(text)).toEqual(cores);
});

test("load and proxies get cores that are far from each other", () => {
  expect(chooseCores([0, 1, 2, 3])).toEqual({ kind: "split", load: 0, proxies: 3 });
});

test.each([[[]], [[5]]])("where there is one core, all share it", (allowed) => {
  expect(chooseCores(allowed)).toEqual({ kind: "shared" });
});
