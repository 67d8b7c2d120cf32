import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { backoffDelayMs, type BackoffSettings } from "#mesh/backoff.ts";
import type { Clock } from "#mesh/clock.ts";
import type { Command } from "./run-command.ts";

/** What is known of a process that is kept running. */
export type ProcessStatus =
  | { readonly kind: "running"; readonly pid: number; readonly since: string; readonly restarts: number }
  | { readonly kind: "waiting"; readonly restarts: number; readonly lastExit: string }
  | { readonly kind: "stopped" };

export interface ManagedProcessSettings {
  readonly command: Command;
  readonly environment: NodeJS.ProcessEnv;
  /** Standard output and standard error. */
  readonly log: Writable;
  readonly clock: Clock;
  readonly random: () => number;
  readonly backoff?: BackoffSettings;
}

/** The first restart comes at once, so that a part that was killed is back within a second. */
const RESTART_BACKOFF: BackoffSettings = { firstMs: 50, maxMs: 5_000, jitter: 0.2 };
/** A process that lived this long did not die of how it starts. */
const STABLE_MS = 10_000;

/** A process that is started again whenever it ends, with growing delays while it keeps ending. */
export class ManagedProcess {
  readonly #settings: ManagedProcessSettings;
  #child: ChildProcess | undefined;
  #status: ProcessStatus = { kind: "stopped" };
  #restarts = 0;
  #failures = 0;
  #wanted = false;
  #cancelRestart: () => void = () => {};

  constructor(settings: ManagedProcessSettings) {
    this.#settings = settings;
  }

  get status(): ProcessStatus {
    return this.#status;
  }

  /** Undefined while it is not running. */
  get pid(): number | undefined {
    return this.#status.kind === "running" ? this.#status.pid : undefined;
  }

  start(): void {
    this.#wanted = true;
    if (this.#child === undefined) this.#launch();
  }

  /** Asks it to end, and ends it after `graceMs`. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#wanted = false;
    this.#cancelRestart();
    this.#status = { kind: "stopped" };
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
    });
    child.kill("SIGTERM");
    const cancel = this.#settings.clock.after(graceMs, () => child.kill("SIGKILL"));
    await gone;
    cancel();
  }

  #launch(): void {
    const { command, environment, log, clock } = this.#settings;
    const [program, ...args] = command;
    const startedAt = clock.now();
    const child = spawn(program, args, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.once("error", (error) => this.#ended(startedAt, error.message));
    child.once("exit", (code, signal) => this.#ended(startedAt, signal ?? `exit code ${code}`));
    if (child.pid === undefined) return;
    const since = new Date(startedAt).toISOString();
    this.#status = { kind: "running", pid: child.pid, since, restarts: this.#restarts };
  }

  #ended(startedAt: number, lastExit: string): void {
    const { clock, random, backoff } = this.#settings;
    this.#child = undefined;
    if (!this.#wanted) return;
    this.#failures = clock.now() - startedAt >= STABLE_MS ? 0 : this.#failures;
    const delayMs = backoffDelayMs(backoff ?? RESTART_BACKOFF, this.#failures, random);
    this.#failures++;
    this.#restarts++;
    this.#status = { kind: "waiting", restarts: this.#restarts, lastExit };
    this.#cancelRestart = clock.after(delayMs, () => this.#launch());
  }
}
