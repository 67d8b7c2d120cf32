import * as fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_SERIES_IDS, type Series, type WorkerReport } from "../../channel/worker-report.ts";
import { Counters } from "./counters.ts";

const METRIC = "istio_tcp_connections_opened_total";
const OTHER = "istio_tcp_connections_closed_total";

/** An agent that believes reports, as far as they are in order: a series is named before, or together with, its total. */
const listening = () => {
  const series = new Map<number, Series>();
  const totals = new Map<number, number>();
  const take = (reports: readonly WorkerReport[]): void => {
    for (const report of reports) {
      if (report.kind === "histograms") continue;
      if (report.kind !== "counters") throw new Error(`a report ${report.kind} of counters`);
      for (const named of report.series) {
        if (series.has(named.id)) throw new Error(`series ${named.id} is named twice`);
        series.set(named.id, named);
      }
      for (const [id, total] of report.totals) {
        if (!series.has(id)) throw new Error(`a total of series ${id}, which has no name`);
        totals.set(id, total);
      }
    }
  };
  const valueOf = (metric: string, labels: Readonly<Record<string, string>>): number | undefined => {
    const found = [...series.values()].find(
      (each) => each.metric === metric && JSON.stringify(each.labels) === JSON.stringify(labels),
    );
    return found && (totals.get(found.id) ?? 0);
  };
  return { take, valueOf, series, totals };
};

test("the same metric with the same labels is one counter, and another otherwise", () => {
  const counters = new Counters();
  const counter = counters.counter(METRIC, { a: "1", b: "2" });
  expect(counters.counter(METRIC, { a: "1", b: "2" })).toBe(counter);
  for (const other of [
    counters.counter(OTHER, { a: "1", b: "2" }),
    counters.counter(METRIC, { a: "2", b: "1" }),
    counters.counter(METRIC, { a: "1", b: "" }),
  ]) {
    expect(other).not.toBe(counter);
  }
});

test("a report names what is new and gives the totals of what has moved; nothing new is no report", () => {
  const counters = new Counters();
  expect(counters.takeReports()).toEqual([]);
  const [moved, still] = [counters.counter(METRIC, { a: "1" }), counters.counter(METRIC, { a: "2" })];
  moved.add(2);
  moved.add(3);
  const named = [
    { id: 0, metric: METRIC, labels: { a: "1" } },
    { id: 1, metric: METRIC, labels: { a: "2" } },
  ];
  expect(counters.takeReports()).toEqual([{ kind: "counters", series: named, totals: [[0, 5]] }]);
  expect(counters.takeReports()).toEqual([]);
  still.add(1);
  expect(counters.takeReports()).toEqual([{ kind: "counters", series: [], totals: [[1, 1]] }]);
});

test("whatever is counted and whenever it is told, the agent has the sums at the end, also an agent that came later", () => {
  const step = fc.oneof(
    fc.record({ label: fc.constantFrom("a", "b", "c"), amount: fc.nat(100) }),
    fc.constantFrom("report" as const, "new agent" as const),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const counters = new Counters();
      const sums = new Map<string, number>();
      let agent = listening();
      for (const each of steps) {
        if (each === "report") agent.take(counters.takeReports());
        else if (each === "new agent") {
          agent = listening();
          counters.startOver();
        } else {
          counters.counter(METRIC, { label: each.label }).add(each.amount);
          sums.set(each.label, (sums.get(each.label) ?? 0) + each.amount);
        }
      }
      agent.take(counters.takeReports());
      for (const [label, sum] of sums) expect(agent.valueOf(METRIC, { label })).toBe(sum);
    }),
  );
});

test("many new series are named in several reports, and the totals come with the last", () => {
  const counters = new Counters();
  for (let label = 0; label < 1_000; label++) counters.counter(METRIC, { label: `${label}` }).add(1);
  const reports = counters.takeReports().filter((report) => report.kind === "counters");
  expect(reports.map(({ series, totals }) => [series.length, totals.length])).toEqual([
    [400, 0],
    [400, 0],
    [200, 1_000],
  ]);
  const agent = listening();
  agent.take(reports);
  expect([agent.series.size, agent.totals.size]).toEqual([1_000, 1_000]);
});

test("series beyond the limit are counted in one of their metric that says so, and no number is too high", () => {
  const counters = new Counters();
  const many = MAX_SERIES_IDS + 100;
  for (let label = 0; label < many; label++) counters.counter(METRIC, { label: `${label}` }).add(1);
  counters.counter(OTHER, { label: "late" }).add(1);
  // What was there before is still its own.
  counters.counter(METRIC, { label: "0" }).add(1);
  const agent = listening();
  agent.take(counters.takeReports());
  const overflow = agent.valueOf(METRIC, { overflow: "true" }) ?? 0;
  expect(overflow).toBeGreaterThan(100);
  expect([...agent.totals.values()].reduce((sum, total) => sum + total, 0)).toBe(many + 2);
  expect(agent.valueOf(OTHER, { overflow: "true" })).toBe(1);
  expect(agent.valueOf(METRIC, { label: "0" })).toBe(2);
  expect(Math.max(...agent.series.keys())).toBeLessThan(MAX_SERIES_IDS);
});
