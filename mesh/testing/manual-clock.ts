import type { Clock } from "../clock.ts";

interface Timer {
  at: number;
  readonly action: () => void;
}

/** For tests: a clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #now: number;
  readonly #timers = new Set<Timer>();

  constructor(now = Date.parse("2026-01-01T00:00:00Z")) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), action };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** How many timers are set. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** The delays that are being waited for, shortest first. */
  get delaysMs(): readonly number[] {
    return [...this.#timers].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  /** The time of day is set, or the machine slept: it is another, and timers are as far away as before. */
  jump(byMs: number): void {
    this.#now += byMs;
    for (const timer of this.#timers) timer.at += byMs;
  }

  /** Lets time pass, and what is due happen at its moment. */
  advance(byMs: number): void {
    const end = this.#now + byMs;
    while (this.#runNext(end));
    this.#now = end;
  }

  /** The same, and what follows from promises happens before the next timer. */
  async pass(byMs: number): Promise<void> {
    const end = this.#now + byMs;
    do await settled();
    while (this.#runNext(end));
    this.#now = end;
  }

  #runNext(end: number): boolean {
    const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
    if (!next) return false;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.at);
    next.action();
    return true;
  }
}

/** For tests: resolves when everything that follows from promises that are resolved already has happened. */
export const settled = async (): Promise<void> =>
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
