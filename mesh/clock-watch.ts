/** What a process may be late by itself: a garbage collection, a machine with much to do. */
const TOLERANCE_MS = 10_000;

/** Notices that the time of day was set, or that the machine slept, by looking at it in equal steps. */
export class ClockWatch {
  readonly #stepMs: number;
  #last: number;

  /** @param now milliseconds since 1970 */
  constructor(stepMs: number, now: number) {
    this.#stepMs = stepMs;
    this.#last = now;
  }

  /** To be called after each step. @returns by how much the clock went too far, negative for back; 0 if it went as it should */
  look(now: number): number {
    const jumpMs = now - this.#last - this.#stepMs;
    this.#last = now;
    return Math.abs(jumpMs) > TOLERANCE_MS ? jumpMs : 0;
  }
}
