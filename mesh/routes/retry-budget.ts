import type { RetryConstraint } from "./route.ts";
import { SlidingCount } from "./sliding-count.ts";

/**
 * How many retries a Service may get (GEP-3388): a share of everything that was sent to it within an interval, and a few in any
 * case. It counts what one process sends.
 */
export class RetryBudget {
  readonly constraint: RetryConstraint;
  /** Retries among them. */
  readonly #requests: SlidingCount;
  readonly #retries: SlidingCount;
  readonly #recentRetries: SlidingCount;

  /** @param now milliseconds, of a clock that does not go back */
  constructor(constraint: RetryConstraint, now: () => number) {
    this.constraint = constraint;
    this.#requests = new SlidingCount(constraint.intervalMs, now);
    this.#retries = new SlidingCount(constraint.intervalMs, now);
    this.#recentRetries = new SlidingCount(constraint.minRetriesIntervalMs, now);
  }

  /** A request is sent for the first time. */
  noteRequest(): void {
    this.#requests.add();
  }

  /** Whether one more retry may be sent; it is counted then. Otherwise the failure is the answer (503). */
  takeRetry(): boolean {
    if (!this.#isLeft()) return false;
    this.#requests.add();
    this.#retries.add();
    this.#recentRetries.add();
    return true;
  }

  #isLeft(): boolean {
    const { percent, minRetries } = this.constraint;
    if (this.#recentRetries.total < minRetries) return true;
    return (this.#retries.total + 1) * 100 <= (this.#requests.total + 1) * percent;
  }
}
