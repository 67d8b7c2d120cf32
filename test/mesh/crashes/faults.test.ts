import { expect, test } from "vitest";
import { endsWith, type Fault, mayBe, scheduleOf } from "./faults.ts";

test("a seed is a schedule of 50 faults, the same every time, and another seed another one", () => {
  expect(scheduleOf(1)).toEqual(scheduleOf(1));
  expect(scheduleOf(1)).not.toEqual(scheduleOf(2));
  for (const seed of [0, 1, 2 ** 32 - 1]) {
    const faults = scheduleOf(seed);
    expect(faults).toHaveLength(50);
    expect(new Set(faults.map(({ role, way }) => `${role} ${way}`)).size).toBe(12);
    expect(new Set(faults.map(({ node }) => node))).toEqual(new Set([1, 2]));
  }
});

test.each<[Fault["role"], Fault["way"], readonly string[], readonly string[]]>([
  ["worker", "killed", ["worker 2"], ["reset"]],
  ["agent", "hung", ["agent 2"], []],
  ["supervisor", "hung", ["supervisor 2", "agent 2", "worker 2"], ["reset", "refused"]],
  ["control-plane", "killed", ["control-plane"], []],
  ["control-plane", "hung", ["control-plane"], []],
  ["supervisor", "paused", [], []],
])("who ends with a %s that is %s, and what requests may meet", (role, way, ended, met) => {
  const fault: Fault = { role, way, node: 2, afterMs: 0, pauseMs: 0 };
  expect(endsWith(fault)).toEqual(ended);
  expect(mayBe(fault)).toEqual(met);
});
