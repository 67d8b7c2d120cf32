import {
  WORKER_HISTOGRAMS,
  WORKER_METRICS,
  type WorkerHistogram,
  type WorkerMetric,
} from "../../channel/worker-metrics.ts";
import { type Labels, MAX_HISTOGRAM_IDS, MAX_SERIES_IDS, type WorkerReport } from "../../channel/worker-report.ts";
import { Histogram } from "./histogram.ts";
import { SeriesTable } from "./series-table.ts";

/** One series of a counter. Adding to it is what the hot path does. */
export class Counter {
  readonly #id: number;
  readonly #due: Counter[];
  #isDue = false;
  #total = 0;

  constructor(id: number, due: Counter[]) {
    this.#id = id;
    this.#due = due;
  }

  add(amount: number): void {
    this.#total += amount;
    if (!this.#isDue) this.touch();
  }

  touch(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#due.push(this);
  }

  take(): readonly [id: number, total: number] {
    this.#isDue = false;
    return [this.#id, this.#total];
  }
}

/** Series of one worker; those of each metric that say that there are too many need a number, too. */
const MAX_COUNTERS = MAX_SERIES_IDS - Object.keys(WORKER_METRICS).length;
const MAX_HISTOGRAMS = MAX_HISTOGRAM_IDS - Object.keys(WORKER_HISTOGRAMS).length;
/** Series named in one report, so that it usually fits into a frame. */
const MAX_NAMED = 400;

/** What a worker counts and measures, since its start; the agent adds up the workers. */
export class Counters {
  readonly #counters = new SeriesTable<WorkerMetric, Counter>(MAX_COUNTERS, (id, due) => new Counter(id, due));
  readonly #histograms = new SeriesTable<WorkerHistogram, Histogram>(
    MAX_HISTOGRAMS,
    (id, due) => new Histogram(id, due),
  );

  /** The counter of a metric with these labels, as {@link SeriesTable.get}. */
  counter(metric: WorkerMetric, labels: Labels): Counter {
    return this.#counters.get(metric, labels);
  }

  /** The same for a histogram. */
  histogram(metric: WorkerHistogram, labels: Labels): Histogram {
    return this.#histograms.get(metric, labels);
  }

  /** What is new since the last call, in as many reports as it takes; none when nothing is. */
  takeReports(): readonly WorkerReport[] {
    const counters = this.#counters.take();
    const histograms = this.#histograms.take();
    return [
      ...inParts(counters.series, counters.readings, (series, totals) => ({ kind: "counters", series, totals })),
      ...inParts(histograms.series, histograms.readings, (series, readings) => ({
        kind: "histograms",
        series,
        readings,
      })),
    ];
  }

  /** The next reports tell everything: the agent is a new one. */
  startOver(): void {
    this.#counters.startOver();
    this.#histograms.startOver();
  }
}

/** Names go first: what is measured comes with the last of them. */
const inParts = <Named, Reading>(
  series: readonly Named[],
  readings: readonly Reading[],
  report: (series: readonly Named[], readings: readonly Reading[]) => WorkerReport,
): readonly WorkerReport[] => {
  const reports: WorkerReport[] = [];
  let named = 0;
  for (; series.length - named > MAX_NAMED; named += MAX_NAMED) {
    reports.push(report(series.slice(named, named + MAX_NAMED), []));
  }
  if (series.length > 0 || readings.length > 0) reports.push(report(series.slice(named), readings));
  return reports;
};
