import * as fc from "fast-check";
import { expect, test } from "vitest";
import { HISTOGRAM_BOUNDS } from "../../channel/worker-metrics.ts";
import {
  type HistogramReading,
  MAX_HISTOGRAM_IDS,
  type Series,
  type WorkerReport,
} from "../../channel/worker-report.ts";
import { Counters } from "./counters.ts";

const METRIC = "istio_request_duration_milliseconds";
const OTHER = "istio_request_bytes";
const LAST = HISTOGRAM_BOUNDS.length;

/** What an agent knows that believes reports, as far as they are in order: a series is named before it is read. */
const listening = () => {
  const series = new Map<number, Series<string>>();
  const read = new Map<number, HistogramReading>();
  const take = (reports: readonly WorkerReport[]): void => {
    for (const report of reports) {
      if (report.kind !== "histograms") throw new Error(`a report ${report.kind} of histograms`);
      for (const named of report.series) {
        if (series.has(named.id)) throw new Error(`series ${named.id} is named twice`);
        series.set(named.id, named);
      }
      for (const reading of report.readings) {
        if (!series.has(reading[0])) throw new Error(`a reading of series ${reading[0]}, which has no name`);
        read.set(reading[0], reading);
      }
    }
  };
  /** Buckets in which something is, by their number, and the sum. */
  const valueOf = (metric: string, labels: Readonly<Record<string, string>>) => {
    const found = [...series.values()].find(
      (each) => each.metric === metric && JSON.stringify(each.labels) === JSON.stringify(labels),
    );
    const [, sum = 0, counts = []] = read.get(found?.id ?? -1) ?? [];
    return { sum, counts: Object.fromEntries([...counts.entries()].filter(([, count]) => count > 0)) };
  };
  return { take, valueOf, series, read };
};

test("the same histogram with the same labels is one, and a counter's numbers are its own", () => {
  const counters = new Counters();
  const histogram = counters.histogram(METRIC, { a: "1" });
  expect(counters.histogram(METRIC, { a: "1" })).toBe(histogram);
  expect(counters.histogram(OTHER, { a: "1" })).not.toBe(histogram);
  counters.counter("istio_requests_total", { a: "1" }).add(1);
  histogram.observe(1);
  expect(counters.takeReports()).toMatchObject([
    { kind: "counters", series: [{ id: 0 }] },
    { kind: "histograms", series: [{ id: 0 }, { id: 1 }], readings: [[0, 1, expect.anything()]] },
  ]);
});

test.each([
  [0, 0],
  [0.5, 0],
  [0.500001, 1],
  [1, 1],
  [7, 3],
  [3_600_000, LAST - 1],
  [3_600_001, LAST],
  [1e12, LAST],
])("%d is counted in bucket %i: a bound is the last of its own", (value, bucket) => {
  const counters = new Counters();
  counters.histogram(METRIC, {}).observe(value);
  const agent = listening();
  agent.take(counters.takeReports());
  expect(agent.valueOf(METRIC, {})).toEqual({ sum: value, counts: { [bucket]: 1 } });
});

test("what was told once does not change when more is observed", () => {
  const counters = new Counters();
  const histogram = counters.histogram(METRIC, {});
  histogram.observe(1);
  const told = counters.takeReports();
  const before = JSON.stringify(told);
  histogram.observe(1);
  expect(JSON.stringify(told)).toBe(before);
});

test("whatever is observed and whenever it is told, the agent has all of it at the end, also an agent that came later", () => {
  const step = fc.oneof(
    fc.record({ label: fc.constantFrom("a", "b"), value: fc.nat(20) }),
    fc.constantFrom("report" as const, "new agent" as const),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const counters = new Counters();
      const observed = new Map<string, number[]>();
      let agent = listening();
      for (const each of steps) {
        if (each === "report") agent.take(counters.takeReports());
        else if (each === "new agent") {
          agent = listening();
          counters.startOver();
        } else {
          counters.histogram(METRIC, { label: each.label }).observe(each.value);
          observed.set(each.label, [...(observed.get(each.label) ?? []), each.value]);
        }
      }
      agent.take(counters.takeReports());
      for (const [label, values] of observed) {
        const buckets = values.map((value) => HISTOGRAM_BOUNDS.findIndex((bound) => value <= bound));
        expect(agent.valueOf(METRIC, { label })).toEqual({
          sum: values.reduce((sum, value) => sum + value, 0),
          counts: Object.fromEntries(
            Map.groupBy(buckets, (bucket) => bucket)
              .entries()
              .map(([b, all]) => [b, all.length]),
          ),
        });
      }
    }),
  );
});

test("histograms beyond the limit are observed in one of their metric that says so, and no number is too high", () => {
  const counters = new Counters();
  const many = MAX_HISTOGRAM_IDS + 100;
  for (let label = 0; label < many; label++) counters.histogram(METRIC, { label: `${label}` }).observe(1);
  counters.histogram(OTHER, { label: "late" }).observe(2);
  const agent = listening();
  agent.take(counters.takeReports());
  expect(agent.valueOf(METRIC, { overflow: "true" }).sum).toBeGreaterThan(100);
  expect(agent.valueOf(OTHER, { overflow: "true" })).toEqual({ sum: 2, counts: { 2: 1 } });
  expect([...agent.read.values()].reduce((sum, [, each]) => sum + each, 0)).toBe(many + 2);
  expect(Math.max(...agent.series.keys())).toBeLessThan(MAX_HISTOGRAM_IDS);
});
