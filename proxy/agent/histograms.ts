import { HISTOGRAM_BOUNDS, type WorkerHistogram } from "../channel/worker-metrics.ts";
import type { HistogramReading, Labels, Series } from "../channel/worker-report.ts";
import { labelsKey, OVERFLOW, wellFormed } from "./metrics.ts";

/** Series that are kept, each of two dozen lines; what comes beyond is measured in one for each metric that says so. */
const MAX_SERIES = 12_000;

/** What was observed: the sum, and how often in each bucket alone. */
export interface Observed {
  readonly counts: number[];
  sum: number;
}

interface KeptHistogram extends Observed {
  readonly metric: WorkerHistogram;
  readonly labels: Labels;
}

/** A series as one worker numbers it: where it is added, and what the worker last said. */
interface WorkerHistogramSeries {
  readonly kept: KeptHistogram;
  readonly last: Observed;
}

/** The histograms of all workers, added up; in all else as {@link MergedCounters}. */
export class MergedHistograms {
  readonly #series = new Map<string, KeptHistogram>();
  readonly #byWorker = new Map<string, Map<number, WorkerHistogramSeries>>();

  /** Takes a worker's report over. Readings of a series that was never named are ignored, and names after the first. */
  report(startId: string, series: readonly Series<WorkerHistogram>[], readings: readonly HistogramReading[]): void {
    const own = this.#byWorker.get(startId) ?? new Map<number, WorkerHistogramSeries>();
    this.#byWorker.set(startId, own);
    for (const { id, metric, labels } of series) {
      if (!own.has(id)) own.set(id, { kept: this.#keep(metric, wellFormed(labels)), last: nothing() });
    }
    for (const [id, sum, counts] of readings) {
      const each = own.get(id);
      if (each) advance(each, sum, counts);
    }
  }

  /** A worker is gone; what it observed stays. */
  workerGone(startId: string): void {
    this.#byWorker.delete(startId);
  }

  all(): Iterable<Readonly<KeptHistogram>> {
    return this.#series.values();
  }

  #keep(metric: WorkerHistogram, labels: Labels): KeptHistogram {
    const key = `${metric} ${labelsKey(labels)}`;
    const known = this.#series.get(key);
    if (known) return known;
    if (this.#series.size >= MAX_SERIES && labels !== OVERFLOW) return this.#keep(metric, OVERFLOW);
    const kept: KeptHistogram = { metric, labels, ...nothing() };
    this.#series.set(key, kept);
    return kept;
  }
}

const nothing = (): Observed => ({ counts: [...HISTOGRAM_BOUNDS, Infinity].map(() => 0), sum: 0 });

/** Nothing is taken back: what went down is not believed. */
const advance = ({ kept, last }: WorkerHistogramSeries, sum: number, counts: readonly number[]): void => {
  for (const [bucket, count] of counts.entries()) {
    const before = last.counts[bucket] ?? 0;
    if (count <= before) continue;
    kept.counts[bucket] = (kept.counts[bucket] ?? 0) + count - before;
    last.counts[bucket] = count;
  }
  if (sum <= last.sum) return;
  kept.sum += sum - last.sum;
  last.sum = sum;
};
