/** What one pod has had of a second of the access log. Failures are counted by themselves: they are told when the rest is too much. */
export class LineShare {
  readonly #linesPerSecond: number;
  #fine = 0;
  #failures = 0;
  #left = 0;

  constructor(linesPerSecond: number) {
    this.#linesPerSecond = linesPerSecond;
  }

  /** How many lines were left out. */
  get left(): number {
    return this.#left;
  }

  /** @returns whether one more line fits; otherwise it is one that was left out */
  take(failed: boolean): boolean {
    const taken = failed ? ++this.#failures : ++this.#fine;
    if (taken <= this.#linesPerSecond) return true;
    this.#left++;
    return false;
  }

  /** So many lines were left out before they came here. */
  leaveOut(lines: number): void {
    this.#left += lines;
  }
}
