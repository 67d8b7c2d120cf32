import type { Inventory } from "#mesh/admin/inventory.ts";
import { backoffDelayMs, type BackoffSettings } from "#mesh/backoff.ts";
import type { Clock } from "#mesh/clock.ts";
import type { UnixClient } from "../socket/unix-client.ts";

export interface InventoryFeedSettings {
  readonly controlPlane: UnixClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onInventory: (inventory: Inventory) => void;
}

/** How long the control plane may keep a question that it has no news for. */
const LONG_POLL_MS = 20_000;
/** What the answer may take beyond that. */
const ANSWER_MS = 5_000;

const RETRY_BACKOFF: BackoffSettings = { firstMs: 50, maxMs: 1_000, jitter: 0.2 };

/** Asks the control plane again and again what exists. While it is away, what it said last holds. */
export class InventoryFeed {
  readonly #settings: InventoryFeedSettings;
  #version = "";
  #problem: string | undefined = "it was not asked yet";
  #closed = false;

  constructor(settings: InventoryFeedSettings) {
    this.#settings = settings;
  }

  /** Why the control plane does not answer; undefined while it does. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get hasInventory(): boolean {
    return this.#version !== "";
  }

  close(): void {
    this.#closed = true;
  }

  async run(): Promise<void> {
    const { clock, random } = this.#settings;
    for (let failures = 0; !this.#closed;) {
      if (await this.#ask()) {
        failures = 0;
      } else {
        await new Promise<void>((resolve) => {
          clock.after(backoffDelayMs(RETRY_BACKOFF, failures++, random), resolve);
        });
      }
    }
  }

  async #ask(): Promise<boolean> {
    const { controlPlane, onInventory } = this.#settings;
    // One that was away is asked for a quick answer, so that it is known to be back.
    const waitMs = this.#problem === undefined ? LONG_POLL_MS : 0;
    const question = `/inventory?after=${encodeURIComponent(this.#version)}&waitMs=${waitMs}`;
    const answer = await controlPlane.json<Inventory>(question, { timeoutMs: waitMs + ANSWER_MS });
    this.#problem = answer.ok ? undefined : answer.error;
    if (!answer.ok || this.#closed) return answer.ok;
    if (answer.value.version === this.#version) return true;
    try {
      onInventory(answer.value);
    } catch (error) {
      // A full disk, for example: what is wanted stays wanted, and is tried again.
      this.#problem = `what it declares cannot be carried out: ${String(error)}`;
      return false;
    }
    this.#version = answer.value.version;
    return true;
  }
}
