import { expect, test } from "vitest";
import { below, processTree, type TreeProcess } from "./process-tree.ts";

const entry = (pid: number, parent: number): TreeProcess => ({
  pid,
  parent,
  name: "",
  commandLine: "",
  namespacePids: [pid],
});

test("everything that descends from a process is below it, in whatever order it is found", () => {
  const all = [entry(4, 3), entry(3, 2), entry(2, 1), entry(5, 1), entry(6, 9)];
  expect(below(all, [2]).map(({ pid }) => pid)).toEqual([4, 3, 2]);
});

test("a process that is gone has nothing below it", () => {
  expect(below([entry(2, 1)], [7])).toEqual([]);
});

test("this process is found as the machine sees it", () => {
  const own = processTree(process.pid).find(({ pid }) => pid === process.pid);
  expect(own).toMatchObject({ parent: process.ppid });
  expect(own?.namespacePids.at(-1)).toBe(process.pid);
});
