/** Parts that a window is counted in: one is forgotten at a time. */
const PARTS = 10;

/**
 * How often something happened within the last `windowMs`, in constant memory. It remembers up to a tenth of the window longer,
 * so that a rate that is held against it is never exceeded.
 */
export class SlidingCount {
  readonly #partMs: number;
  readonly #now: () => number;
  /** The present part of the window, and those before it. */
  readonly #counts = new Float64Array(PARTS + 1);
  #part = -Infinity;
  #total = 0;

  /** @param now milliseconds of a clock that does not go back; where it does, what comes is counted with the newest */
  constructor(windowMs: number, now: () => number) {
    this.#partMs = windowMs / PARTS;
    this.#now = now;
  }

  add(): void {
    this.#forget();
    this.#total++;
    const index = this.#index(this.#part);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  get total(): number {
    this.#forget();
    return this.#total;
  }

  #forget(): void {
    const part = Math.floor(this.#now() / this.#partMs);
    const passed = Math.min(part - this.#part, this.#counts.length);
    for (let back = 0; back < passed; back++) {
      const index = this.#index(part - back);
      this.#total -= this.#counts[index] ?? 0;
      this.#counts[index] = 0;
    }
    this.#part = Math.max(this.#part, part);
  }

  #index(part: number): number {
    return ((part % this.#counts.length) + this.#counts.length) % this.#counts.length;
  }
}
