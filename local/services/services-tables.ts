import type { InventoryService } from "#mesh/admin/inventory.ts";
import type { Clock } from "#mesh/clock.ts";
import type { Result } from "#mesh/result.ts";

export interface ServicesTablesSettings {
  readonly nodes: number;
  readonly load: (node: number, services: readonly InventoryService[]) => Promise<Result<unknown, string>>;
  readonly clock: Clock;
}

const RETRY_MS = 1_000;

/**
 * Keeps the table of services of every node up to date. Changes that come while tables are being loaded are loaded
 * together afterwards; what failed is tried again.
 */
export class ServicesTables {
  readonly #settings: ServicesTablesSettings;
  #wanted: readonly InventoryService[] = [];
  #loaded: string | undefined;
  #busy = false;
  #problem: string | undefined;

  constructor(settings: ServicesTablesSettings) {
    this.#settings = settings;
  }

  /** Why the nodes do not have what was wanted last. */
  get problem(): string | undefined {
    return this.#problem;
  }

  set(services: readonly InventoryService[]): void {
    this.#wanted = services;
    if (!this.#busy) void this.#load();
  }

  async #load(): Promise<void> {
    this.#busy = true;
    while (this.#loaded !== JSON.stringify(this.#wanted)) {
      const wanted = this.#wanted;
      this.#problem = await this.#loadAll(wanted);
      if (this.#problem === undefined) this.#loaded = JSON.stringify(wanted);
      else {
        await new Promise<void>((resolve) => {
          this.#settings.clock.after(RETRY_MS, resolve);
        });
      }
    }
    this.#busy = false;
  }

  async #loadAll(services: readonly InventoryService[]): Promise<string | undefined> {
    const { nodes, load } = this.#settings;
    const numbers = Array.from({ length: nodes }, (_, index) => index + 1);
    const results = await Promise.all(numbers.map((node) => load(node, services)));
    return results.find((result) => !result.ok)?.error;
  }
}
