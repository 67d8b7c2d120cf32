/** How many of something there may be at the same time. */
export class Budget {
  readonly #max: number;
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get used(): number {
    return this.#used;
  }

  /** @returns how to give them back, once; undefined when so many are not left */
  take(count = 1): (() => void) | undefined {
    if (this.#used + count > this.#max) return undefined;
    this.#used += count;
    let taken = count;
    return () => {
      this.#used -= taken;
      taken = 0;
    };
  }
}
