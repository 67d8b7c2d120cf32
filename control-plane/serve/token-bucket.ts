import type { Clock } from "#mesh/clock.ts";

export interface RateLimit {
  /** How many at once, after a rest. */
  readonly burst: number;
  readonly perSecond: number;
}

/** Lets so many things happen in a time, and no more. */
export class TokenBucket {
  readonly #limit: RateLimit;
  readonly #clock: Pick<Clock, "now">;
  #tokens: number;
  #filledAt: number;

  constructor(limit: RateLimit, clock: Pick<Clock, "now">) {
    this.#limit = limit;
    this.#clock = clock;
    this.#tokens = limit.burst;
    this.#filledAt = clock.now();
  }

  /** @returns whether one more may happen now. */
  take(): boolean {
    const now = this.#clock.now();
    // A clock that is set back must not stop the refilling until it has caught up.
    const elapsedMs = Math.max(0, now - this.#filledAt);
    this.#filledAt = now;
    this.#tokens = Math.min(this.#limit.burst, this.#tokens + (elapsedMs * this.#limit.perSecond) / 1000);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
