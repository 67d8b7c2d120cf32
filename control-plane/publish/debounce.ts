import type { Clock } from "#mesh/clock.ts";

export interface DebounceSettings {
  /** Nothing new for so long, and the work is done. */
  readonly quietMs: number;
  /** The work is never put off for longer. */
  readonly maxMs: number;
}

/** A file of many objects changes them together; somebody who waits for one change hardly notices 50 ms. */
export const PUBLISH_DEBOUNCE: DebounceSettings = { quietMs: 50, maxMs: 500 };

/** Does work once for many requests that come close together. */
export class Debounce {
  readonly #settings: DebounceSettings;
  readonly #clock: Clock;
  readonly #work: () => void;
  #firstAt: number | undefined;
  #cancel: () => void = () => {};

  constructor(settings: DebounceSettings, clock: Clock, work: () => void) {
    this.#settings = settings;
    this.#clock = clock;
    this.#work = work;
  }

  request(): void {
    const now = this.#clock.now();
    this.#firstAt ??= now;
    const restMs = this.#firstAt + this.#settings.maxMs - now;
    this.#cancel();
    this.#cancel = this.#clock.after(Math.max(0, Math.min(this.#settings.quietMs, restMs)), () => this.#run());
  }

  stop(): void {
    this.#cancel();
    this.#firstAt = undefined;
  }

  #run(): void {
    this.#firstAt = undefined;
    this.#work();
  }
}
