import type { Inventory } from "#mesh/admin/inventory.ts";
import type { Clock } from "#mesh/clock.ts";

/** One runtime waits, perhaps with a second one during a change-over; more would only hold memory. */
const MAX_WAITING = 16;

/** Answers with what exists now, or as soon as it is different. */
export class InventoryFeed {
  readonly #make: () => Inventory;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #current: Inventory | undefined;
  #stopped = false;

  /** @param make makes the inventory as of now; called when somebody wants it and something changed */
  constructor(make: () => Inventory, clock: Clock) {
    this.#make = make;
    this.#clock = clock;
  }

  get current(): Inventory {
    this.#current ??= this.#make();
    return this.#current;
  }

  /** Something may be different. */
  changed(): void {
    this.#current = undefined;
    this.#wakeAll();
  }

  /** The inventory, when its version is another than `after`, or as it is when the time is over. */
  async next(after: string, waitMs: number): Promise<Inventory> {
    const until = this.#clock.now() + waitMs;
    for (;;) {
      const restMs = until - this.#clock.now();
      const { current } = this;
      if (current.version !== after || restMs <= 0 || this.#stopped || this.#waiting.size >= MAX_WAITING)
        return current;
      await this.#changeOr(restMs);
    }
  }

  /** Nobody waits any longer. */
  stop(): void {
    this.#stopped = true;
    this.#wakeAll();
  }

  async #changeOr(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(timeoutMs, () => wake());
      const wake = (): void => {
        cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
    });
  }

  #wakeAll(): void {
    for (const wake of this.#waiting) wake();
  }
}
