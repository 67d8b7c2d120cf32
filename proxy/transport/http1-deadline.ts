import { performance } from "node:perf_hooks";

/**
 * The one deadline of a connection. It is moved with every message, so moving it later costs no timer: the timer that runs
 * goes off, sees that it is too early, and is set for the rest.
 */
export class Deadline {
  readonly #onPassed: () => void;
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Infinity;
  #at = Infinity;

  constructor(onPassed: () => void) {
    this.#onPassed = onPassed;
  }

  /** It passes so many milliseconds from now, unless it is moved. */
  set(ms: number): void {
    this.#at = performance.now() + ms;
    if (this.#at < this.#firesAt) this.#arm(ms);
  }

  /** It does not pass. */
  clear(): void {
    this.#at = Infinity;
  }

  /** For good. */
  stop(): void {
    this.clear();
    clearTimeout(this.#timer);
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#firesAt = performance.now() + ms;
    this.#timer = setTimeout(this.#onTimer, ms);
  }

  readonly #onTimer = (): void => {
    this.#firesAt = Infinity;
    const left = this.#at - performance.now();
    if (left === Infinity) return;
    // A timer may come a fraction of a millisecond early.
    if (left > 1) this.#arm(left);
    else {
      this.#at = Infinity;
      this.#onPassed();
    }
  };
}
