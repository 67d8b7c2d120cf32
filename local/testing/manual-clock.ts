import type { Clock } from "#mesh/clock.ts";

/** A clock that stands still until it is turned. */
export class ManualClock implements Clock {
  #now = Date.parse("2026-01-01T00:00:00Z");
  readonly #waiting = new Set<{ readonly at: number; readonly action: () => void }>();

  now(): number {
    return this.#now;
  }

  after(delayMs: number, action: () => void): () => void {
    const entry = { at: this.#now + delayMs, action };
    this.#waiting.add(entry);
    return () => this.#waiting.delete(entry);
  }

  /** The delays that are being waited for, shortest first. */
  get delaysMs(): readonly number[] {
    return [...this.#waiting].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  /** Lets time pass, and everything happen that was to happen meanwhile. */
  async advance(durationMs: number): Promise<void> {
    this.#now += durationMs;
    for (const entry of [...this.#waiting].filter(({ at }) => at <= this.#now)) {
      this.#waiting.delete(entry);
      entry.action();
    }
    await settle();
  }
}

/** Lets everything run that waits for promises only. */
export const settle = async (): Promise<void> => {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
};
