/** A token bucket: so much a second, and so much at once after it was quiet. */
export class Allowance {
  readonly #now: () => number;
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number, { perSecond, burst }: { readonly perSecond: number; readonly burst: number }) {
    this.#now = now;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledAt = now();
  }

  /** @returns how many of `wanted` are allowed now, a whole number */
  take(wanted: number): number {
    const now = this.#now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) / 1000) * this.#perSecond);
    this.#filledAt = now;
    const granted = Math.min(wanted, Math.floor(this.#tokens));
    this.#tokens -= granted;
    return granted;
  }
}
