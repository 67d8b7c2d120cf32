import { expect, test } from "vitest";
import type { Workload } from "#mesh/workload.ts";
import type { Flow } from "../../channel/worker-report.ts";
import { FlowLog } from "./flow-log.ts";

const reportsOf = (log: FlowLog) => log.takeReports().filter((report) => report.kind === "flows");
const pod = (name: string) => ({ namespace: "shop", name }) as Workload;
const WEB = pod("web");
const line = (number: number): Flow => ({ event: "opened", duration_ms: number });

test("lines come out once, in their order", () => {
  const log = new FlowLog();
  for (let number = 0; number < 3; number++) log.add(line(number));
  expect(log.takeReports()).toEqual([{ kind: "flows", flows: [line(0), line(1), line(2)], left: [], dropped: 0 }]);
  expect(log.takeReports()).toEqual([]);
});

test("many lines go in several reports, and none is lost or out of order", () => {
  const log = new FlowLog();
  for (let number = 0; number < 1_000; number++) log.add(line(number));
  const reports = reportsOf(log);
  expect(reports.map(({ flows }) => flows.length)).toEqual([256, 256, 256, 232]);
  expect(reports.flatMap(({ flows }) => flows)).toEqual(Array.from({ length: 1_000 }, (_, number) => line(number)));
});

test("beyond a limit lines are left out, and how many is said once", () => {
  const log = new FlowLog();
  for (let number = 0; number < 10_000; number++) log.add(line(number));
  const reports = reportsOf(log);
  const kept = reports.flatMap(({ flows }) => flows);
  const dropped = reports.map((report) => report.dropped);
  expect([kept.length, kept.at(-1)]).toEqual([8_192, line(8_191)]);
  expect(dropped.reduce((sum, count) => sum + count, 0)).toBe(10_000 - 8_192);
  log.add(line(1));
  expect(log.takeReports()).toEqual([{ kind: "flows", flows: [line(1)], left: [], dropped: 0 }]);
});

test("it is empty when there is nothing to say", () => {
  const log = new FlowLog();
  expect(log.isEmpty).toBe(true);
  log.add(line(1));
  expect(log.isEmpty).toBe(false);
  log.takeReports();
  expect(log.isEmpty).toBe(true);
});

test.each([
  ["all", true, true],
  ["failures", false, true],
  ["off", false, false],
] as const)("with %s a line that tells of no failure is wanted: %s, and one that does: %s", (mode, fine, failed) => {
  const log = new FlowLog(mode);
  expect([log.wants(false, WEB), log.wants(true, WEB)]).toEqual([fine, failed]);
});

test("a pod has so many lines a second, and as many for failures; what is left out is told, of each pod", () => {
  const log = new FlowLog("all", 3);
  const wanted = (whose: Workload | undefined, failed: boolean) =>
    Array.from({ length: 5 }, () => log.wants(failed, whose)).filter(Boolean).length;
  expect([wanted(WEB, false), wanted(WEB, true), wanted(pod("cart"), false), wanted(undefined, false)]).toEqual([
    3, 3, 3, 5,
  ]);
  expect(log.takeReports()).toEqual([]);
  log.nextSecond();
  expect(log.takeReports()).toEqual([
    {
      kind: "flows",
      flows: [],
      left: [
        ["shop", "web", 4],
        ["shop", "cart", 2],
      ],
      dropped: 0,
    },
  ]);
  expect([wanted(WEB, false), wanted(WEB, true)]).toEqual([3, 3]);
});

test("what was left out is held within a bound, however long nobody asks for it, and none of it is forgotten", () => {
  const log = new FlowLog("all", 1);
  for (let second = 0; second < 10_000; second++) {
    for (let line = 0; line < 3; line++) log.wants(false, WEB);
    log.nextSecond();
  }
  const reports = reportsOf(log);
  const left = reports.flatMap((report) => report.left);
  const lines = left.reduce((sum, [, , count]) => sum + count, 0);
  const dropped = reports.reduce((sum, report) => sum + report.dropped, 0);
  expect([left.length, lines + dropped]).toEqual([8_192, 20_000]);
});
