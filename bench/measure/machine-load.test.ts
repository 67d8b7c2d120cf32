import { expect, test } from "vitest";
import { busyShare, parseMachineTicks } from "./machine-load.ts";

test("waiting for a disk is idle, time taken by other machines is not, and that of guests is in user already", () => {
  const text = "cpu  10 1 5 100 20 2 3 4 1000 1000\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
  expect(parseMachineTicks(text)).toEqual({ busy: 25, all: 145 });
});

test.each([
  ["half of the time", { busy: 10, all: 100 }, { busy: 20, all: 120 }, 0.5],
  ["no time at all", { busy: 10, all: 100 }, { busy: 10, all: 100 }, 0],
])("a machine was busy for %s", (_, from, to, share) => {
  expect(busyShare(from, to)).toBe(share);
});
