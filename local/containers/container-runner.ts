import { backoffDelayMs, type BackoffSettings } from "#mesh/backoff.ts";
import type { Clock } from "#mesh/clock.ts";
import type { Result } from "#mesh/result.ts";
import type { ContainerExit } from "./container-process.ts";

export type RestartPolicy = "Always" | "OnFailure" | "Never";

/** What a container is doing. */
export type ContainerState =
  | { readonly kind: "waiting"; readonly reason: string }
  | { readonly kind: "running"; readonly pid: number; readonly since: string }
  /** It will not be started again. */
  | { readonly kind: "finished"; readonly exit: ContainerExit };

/** One life of a container, as the runner needs it. */
export interface RunningContainer {
  readonly started: Promise<Result<number, string>>;
  readonly exited: Promise<ContainerExit>;
  terminate(): void;
  kill(): void;
}

export interface RunnerSettings {
  readonly policy: RestartPolicy;
  readonly start: () => RunningContainer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onChange: () => void;
}

/** Shorter than a cluster's 10 s to 5 min: whoever edits YAML on a laptop waits for it. */
const CRASH_BACKOFF: BackoffSettings = { firstMs: 500, maxMs: 30_000, jitter: 0.1 };
/** A container that ran this long starts with short delays again. */
const STABLE_MS = 30_000;

/** Keeps one container running as its restart policy says. */
export class ContainerRunner {
  readonly #settings: RunnerSettings;
  readonly #finished = Promise.withResolvers<ContainerExit | undefined>();
  #state: ContainerState = { kind: "waiting", reason: "not started yet" };
  #current: RunningContainer | undefined;
  #stopping = false;
  #restarts = 0;
  #failures = 0;
  #cancelRestart: () => void = () => {};

  constructor(settings: RunnerSettings) {
    this.#settings = settings;
  }

  get state(): ContainerState {
    return this.#state;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** How it ended for good; undefined if it was stopped. */
  get finished(): Promise<ContainerExit | undefined> {
    return this.#finished.promise;
  }

  start(): void {
    if (!this.#stopping) void this.#live();
  }

  /** Asks it to end, and ends it after `graceMs`. Resolves when it is gone; it does not come back. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#cancelRestart();
    const current = this.#current;
    if (current !== undefined) {
      current.terminate();
      const cancel = this.#settings.clock.after(graceMs, () => current.kill());
      await current.exited;
      cancel();
    }
    this.#finished.resolve(undefined);
  }

  async #live(): Promise<void> {
    const { start, clock } = this.#settings;
    const startedAt = clock.now();
    const life = start();
    this.#current = life;
    this.#become({ kind: "waiting", reason: "starting" });
    const started = await life.started;
    if (started.ok) {
      this.#become({ kind: "running", pid: started.value, since: new Date(clock.now()).toISOString() });
    }
    const exit = await life.exited;
    this.#current = undefined;
    if (this.#stopping) return;
    if (clock.now() - startedAt >= STABLE_MS) this.#failures = 0;
    this.#afterExit(started.ok ? exit : { code: exit.code || 1, reason: started.error });
  }

  #afterExit(exit: ContainerExit): void {
    const { policy, clock, random } = this.#settings;
    if (policy === "Never" || (policy === "OnFailure" && exit.code === 0)) {
      this.#become({ kind: "finished", exit });
      this.#finished.resolve(exit);
      return;
    }
    const delayMs = backoffDelayMs(CRASH_BACKOFF, this.#failures++, random);
    this.#restarts++;
    this.#become({ kind: "waiting", reason: `${exit.reason}; starts again after ${Math.ceil(delayMs / 1000)}s` });
    this.#cancelRestart = clock.after(delayMs, () => void this.#live());
  }

  #become(state: ContainerState): void {
    this.#state = state;
    this.#settings.onChange();
  }
}
