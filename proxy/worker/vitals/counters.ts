import { WORKER_METRICS, type WorkerMetric } from "../../channel/worker-metrics.ts";
import { type Labels, MAX_SERIES_IDS, type Series, type WorkerReport } from "../../channel/worker-report.ts";

/** One series of a counter. Adding to it is what the hot path does. */
export class Counter {
  readonly #id: number;
  readonly #dirty: Set<Counter>;
  #total = 0;

  constructor(id: number, dirty: Set<Counter>) {
    this.#id = id;
    this.#dirty = dirty;
  }

  add(amount: number): void {
    this.#total += amount;
    this.#dirty.add(this);
  }

  get reading(): readonly [id: number, total: number] {
    return [this.#id, this.#total];
  }
}

/**
 * Series of one worker. What comes beyond is counted in one series of its metric that says so: nothing is lost or counted
 * twice. These too need a number.
 */
const MAX_SERIES = MAX_SERIES_IDS - Object.keys(WORKER_METRICS).length;
const OVERFLOW: Labels = { overflow: "true" };
/** Series named in one report, so that it usually fits into a frame. */
const MAX_NAMED = 400;

interface KnownSeries {
  readonly series: Series;
  readonly counter: Counter;
}

/** The counters of a worker, since its start; the agent adds up the workers. */
export class Counters {
  readonly #known = new Map<string, KnownSeries>();
  readonly #dirty = new Set<Counter>();
  #unnamed: Series[] = [];

  /**
   * The counter of a metric with these labels. Keep it: finding it takes longer than adding to it.
   * @param labels in the same order for every series of a metric
   */
  counter(metric: WorkerMetric, labels: Labels): Counter {
    const key = `${metric}|${Object.values(labels).join("|")}`;
    const known = this.#known.get(key);
    if (known) return known.counter;
    if (this.#known.size >= MAX_SERIES && labels !== OVERFLOW) return this.counter(metric, OVERFLOW);
    const series = { id: this.#known.size, metric, labels };
    const counter = new Counter(series.id, this.#dirty);
    this.#known.set(key, { series, counter });
    this.#unnamed.push(series);
    return counter;
  }

  /** What is new since the last call, in as many reports as it takes; none when nothing is. */
  takeReports(): readonly WorkerReport[] {
    const totals = Array.from(this.#dirty, (counter) => counter.reading);
    const reports: WorkerReport[] = [];
    while (this.#unnamed.length > MAX_NAMED) {
      reports.push({ kind: "counters", series: this.#unnamed.splice(0, MAX_NAMED), totals: [] });
    }
    if (this.#unnamed.length > 0 || totals.length > 0) {
      reports.push({ kind: "counters", series: this.#unnamed, totals });
    }
    this.#unnamed = [];
    this.#dirty.clear();
    return reports;
  }

  /** The next reports tell everything: the agent is a new one. */
  startOver(): void {
    this.#unnamed = Array.from(this.#known.values(), ({ series }) => series);
    for (const { counter } of this.#known.values()) this.#dirty.add(counter);
  }
}
