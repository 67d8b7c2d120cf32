import * as fc from "fast-check";
import { expect, test } from "vitest";
import { HISTOGRAM_BOUNDS, type WorkerHistogram } from "../channel/worker-metrics.ts";
import type { HistogramReading, Labels, Series } from "../channel/worker-report.ts";
import { MergedHistograms } from "./histograms.ts";

const DURATION = "istio_request_duration_milliseconds";

const series = (
  id: number,
  labels: Labels = { pod: "web" },
  metric: WorkerHistogram = DURATION,
): Series<WorkerHistogram> => ({ id, metric, labels });

/** A reading with counts in the first buckets only. */
const reading = (id: number, sum: number, ...first: readonly number[]): HistogramReading => [
  id,
  sum,
  [...HISTOGRAM_BOUNDS, Infinity].map((_, bucket) => first[bucket] ?? 0),
];

/** What an exposition would say: sum, and the first two buckets and the last. */
const allOf = (histograms: MergedHistograms) =>
  [...histograms.all()].map(({ labels, sum, counts }) => [labels, sum, counts[0], counts[1], counts.at(-1)]);

test("the same series of several workers is one, with the sums, also with labels in another order", () => {
  const histograms = new MergedHistograms();
  histograms.report("a", [series(1, { pod: "web", node: "n" })], [reading(1, 2.5, 1, 2)]);
  histograms.report("b", [series(7, { node: "n", pod: "web" })], [reading(7, 1, 10)]);
  expect(allOf(histograms)).toEqual([[{ pod: "web", node: "n" }, 3.5, 11, 2, 0]]);
});

test("series that differ in a label or in the metric are kept apart", () => {
  const histograms = new MergedHistograms();
  const all = [series(1), series(2, { pod: "cart" }), series(3, { pod: "web" }, "istio_request_bytes")];
  histograms.report("a", all, [reading(1, 1, 1), reading(2, 2, 1), reading(3, 3, 1)]);
  expect(allOf(histograms).map(([, sum]) => sum)).toEqual([1, 2, 3]);
});

test("a report that comes twice counts once, and one that was lost is made up by the next", () => {
  const histograms = new MergedHistograms();
  histograms.report("a", [series(1)], [reading(1, 5, 1)]);
  histograms.report("a", [series(1)], [reading(1, 5, 1)]);
  histograms.report("a", [], [reading(1, 9, 2, 3)]);
  expect(allOf(histograms)).toEqual([[{ pod: "web" }, 9, 2, 3, 0]]);
});

test("what a dead worker observed stays, and its successor goes on from there", () => {
  const histograms = new MergedHistograms();
  histograms.report("first life", [series(1)], [reading(1, 5, 2)]);
  histograms.workerGone("first life");
  // What comes late names no series that is known.
  histograms.report("first life", [], [reading(1, 100, 100)]);
  histograms.report("second life", [series(1)], [reading(1, 1, 1)]);
  expect(allOf(histograms)).toEqual([[{ pod: "web" }, 6, 3, 0, 0]]);
});

test("nothing is taken back: a bucket or a sum that goes down is not believed, and goes on from its highest", () => {
  const histograms = new MergedHistograms();
  histograms.report("a", [series(1)], [reading(1, 10, 4, 4)]);
  histograms.report("a", [], [reading(1, 5, 1, 5)]);
  expect(allOf(histograms)).toEqual([[{ pod: "web" }, 10, 4, 5, 0]]);
  histograms.report("a", [], [reading(1, 11, 5, 5)]);
  expect(allOf(histograms)).toEqual([[{ pod: "web" }, 11, 5, 5, 0]]);
});

test("a number that was never named counts nowhere, and keeps the series that it was given first", () => {
  const histograms = new MergedHistograms();
  histograms.report("a", [series(1)], [reading(1, 1, 1), reading(9, 100, 100)]);
  histograms.report("a", [series(1, { pod: "cart" })], [reading(1, 2, 2)]);
  histograms.report("b", [], [reading(1, 100, 100)]);
  expect(allOf(histograms)).toEqual([[{ pod: "web" }, 2, 2, 0, 0]]);
});

test("series beyond 12,000 are counted together, and say so; nothing that was observed is lost", () => {
  const histograms = new MergedHistograms();
  for (let life = 0; life < 3; life++) {
    const many = Array.from({ length: 5_000 }, (_, id) => series(id, { pod: `${life}-${id}` }));
    histograms.report(
      String(life),
      many,
      many.map(({ id }) => reading(id, 1, 1)),
    );
  }
  const all = allOf(histograms);
  expect(all.length).toBe(12_001);
  expect(all.at(-1)).toEqual([{ overflow: "true" }, 3_000, 3_000, 0, 0]);
});

test("whatever workers do and however often they die, no bucket goes down and all that they observed is there once", () => {
  const step = fc.record({ worker: fc.nat(1), dies: fc.nat(5), bucket: fc.nat(1), more: fc.nat(4) });
  const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const histograms = new MergedHistograms();
    const lives = [0, 0];
    const own = new Map<string, [number, number]>();
    const expected = [0, 0];
    for (const { worker, dies, bucket, more } of steps) {
      const life = `${worker}.${lives[worker]}`;
      if (dies === 0) {
        histograms.workerGone(life);
        lives[worker] = (lives[worker] ?? 0) + 1;
        continue;
      }
      const counts = own.get(life) ?? [0, 0];
      counts[bucket] = (counts[bucket] ?? 0) + more;
      expected[bucket] = (expected[bucket] ?? 0) + more;
      own.set(life, counts);
      histograms.report(life, [series(0)], [reading(0, counts[0] + counts[1], ...counts)]);
      expect(allOf(histograms)).toEqual([
        [{ pod: "web" }, (expected[0] ?? 0) + (expected[1] ?? 0), expected[0], expected[1], 0],
      ]);
    }
  });
  fc.assert(property);
});
