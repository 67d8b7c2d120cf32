import { chownSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { backoffDelayMs, type BackoffSettings } from "#mesh/backoff.ts";
import type { Clock } from "#mesh/clock.ts";
import type { UnixClient } from "../socket/unix-client.ts";

export interface JoinTokenSettings {
  readonly node: string;
  readonly path: string;
  /** Who may read it: the user id of the node's agent. */
  readonly uid: number;
  readonly controlPlane: UnixClient;
  readonly clock: Clock;
  readonly random: () => number;
}

const LIFETIME_SECONDS = 3_600;
const RETRY_BACKOFF: BackoffSettings = { firstMs: 50, maxMs: 5_000, jitter: 0.2 };

/** Keeps a file with the token by which a node proves to the control plane who it is, and renews it at half its life. */
export class JoinToken {
  readonly #settings: JoinTokenSettings;
  readonly #first = Promise.withResolvers<void>();
  #failures = 0;
  #cancel: () => void = () => {};
  #closed = false;

  constructor(settings: JoinTokenSettings) {
    this.#settings = settings;
  }

  /** Done when there is a token for the first time. */
  get present(): Promise<void> {
    return this.#first.promise;
  }

  async keep(): Promise<void> {
    const { node, controlPlane, clock, random } = this.#settings;
    const body = { node, ttlSeconds: LIFETIME_SECONDS };
    const answer = await controlPlane.json<{ readonly token: string }>("/join-tokens", { method: "POST", body });
    if (this.#closed) return;
    if (answer.ok) await this.#write(answer.value.token);
    this.#failures = answer.ok ? 0 : this.#failures + 1;
    const delayMs = answer.ok
      ? (LIFETIME_SECONDS * 1000) / 2
      : backoffDelayMs(RETRY_BACKOFF, this.#failures - 1, random);
    this.#cancel = clock.after(delayMs, () => void this.keep());
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  async #write(token: string): Promise<void> {
    const { path, uid } = this.#settings;
    const unfinished = `${path}.tmp`;
    writeFileSync(unfinished, token, { mode: 0o400 });
    chownSync(unfinished, uid, uid);
    await rename(unfinished, path);
    this.#first.resolve();
  }
}
