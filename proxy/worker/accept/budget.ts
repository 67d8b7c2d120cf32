/** How many of something one pod may have at the same time. */
export class Budget {
  readonly #max: number;
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get used(): number {
    return this.#used;
  }

  /** @returns how to give it back, once; undefined when nothing is left */
  take(): (() => void) | undefined {
    if (this.#used >= this.#max) return undefined;
    this.#used++;
    let taken = true;
    return () => {
      if (taken) this.#used--;
      taken = false;
    };
  }
}
