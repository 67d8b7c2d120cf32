import { HISTOGRAM_BOUNDS } from "../../channel/worker-metrics.ts";
import type { HistogramReading } from "../../channel/worker-report.ts";

/** One series of a histogram. Observing is what the hot path does. */
export class Histogram {
  readonly #id: number;
  readonly #due: Histogram[];
  #isDue = false;
  readonly #counts: number[] = HISTOGRAM_BUCKETS.slice();
  #sum = 0;

  constructor(id: number, due: Histogram[]) {
    this.#id = id;
    this.#due = due;
  }

  /** @param value not negative */
  observe(value: number): void {
    let bucket = 0;
    // A bound belongs to its own bucket ("le"); most values are small.
    while (bucket < HISTOGRAM_BOUNDS.length && value > (HISTOGRAM_BOUNDS[bucket] ?? Infinity)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
    if (!this.#isDue) this.touch();
  }

  touch(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#due.push(this);
  }

  /** @returns a copy of what was observed until now */
  take(): HistogramReading {
    this.#isDue = false;
    return [this.#id, this.#sum, this.#counts.slice()];
  }
}

const HISTOGRAM_BUCKETS: readonly number[] = [...HISTOGRAM_BOUNDS, Infinity].map(() => 0);
