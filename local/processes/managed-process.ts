import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { backoffDelayMs, type BackoffSettings } from "#mesh/backoff.ts";
import type { Clock } from "#mesh/clock.ts";
import { OutputTail } from "./complaint.ts";
import type { Command } from "./run-command.ts";
import { wholeLines } from "./whole-lines.ts";

/** What is known of a process that is kept running. */
export type ProcessStatus =
  | {
      readonly kind: "running";
      readonly pid: number;
      readonly since: string;
      readonly restarts: number;
      /** How the one before it ended, while this one is starting and may end alike. */
      readonly lastEnd?: ProcessEnd;
    }
  | { readonly kind: "waiting"; readonly restarts: number; readonly lastEnd: ProcessEnd }
  | { readonly kind: "stopped" };

/** How a process ended that nobody asked to. */
export interface ProcessEnd {
  /** As in `exit code 1` or `SIGKILL`. */
  readonly exit: string;
  /** What it complained about, if it ended while it was starting. */
  readonly complaint?: string;
  /** How many in a row have ended like this while they were starting. */
  readonly alike: number;
}

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
  #status: State = { kind: "stopped" };
  #lastEnd: Ending | undefined;
  #startedAt = 0;
  #restarts = 0;
  #failures = 0;
  #wanted = false;
  #cancelRestart: () => void = () => {};

  constructor(settings: ManagedProcessSettings) {
    this.#settings = settings;
  }

  get status(): ProcessStatus {
    const status = this.#status;
    if (status.kind === "stopped" || this.#lastEnd === undefined) return status as ProcessStatus;
    if (status.kind === "running" && !this.#isStarting()) return status;
    return { ...status, lastEnd: endOf(this.#lastEnd) };
  }

  /** Undefined while it is not running. */
  get pid(): number | undefined {
    return this.#status.kind === "running" ? this.#status.pid : undefined;
  }

  start(): void {
    this.#wanted = true;
    if (this.#child === undefined) this.#launch();
  }

  /** It may end, and is not started again then; {@link start} takes that back. */
  letEnd(): void {
    this.#wanted = false;
    this.#cancelRestart();
  }

  /** How it ended the last time, if it did. */
  get lastEnd(): ProcessEnd | undefined {
    return this.#lastEnd && endOf(this.#lastEnd);
  }

  /** Ends it at once; it is started again as if it had ended by itself. */
  kill(): void {
    this.#child?.kill("SIGKILL");
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
    this.#startedAt = startedAt;
    const child = spawn(program, args, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    const output = new OutputTail();
    for (const stream of ["stdout", "stderr"] as const) {
      // While it is being replaced two processes write to one log.
      child[stream].pipe(wholeLines()).pipe(log, { end: false });
      child[stream].on("data", (chunk: Buffer) => {
        if (this.#isStarting()) output.add(stream, chunk);
      });
    }
    const ended = (exit: string): void => this.#ended(exit, this.#isStarting() ? output : undefined);
    child.once("error", (error) => ended(error.message));
    child.once("exit", (code, signal) => ended(signal ?? `exit code ${code}`));
    if (child.pid === undefined) return;
    const since = new Date(startedAt).toISOString();
    this.#status = { kind: "running", pid: child.pid, since, restarts: this.#restarts };
  }

  #isStarting(): boolean {
    return this.#settings.clock.now() - this.#startedAt < STABLE_MS;
  }

  /** @param output what it wrote, if it was starting */
  #ended(exit: string, output: OutputTail | undefined): void {
    const { clock, random, backoff } = this.#settings;
    this.#child = undefined;
    this.#lastEnd = { exit, output, before: this.#lastEnd && endOf(this.#lastEnd) };
    if (!this.#wanted) {
      this.#status = { kind: "stopped" };
      return;
    }
    this.#failures = output === undefined ? 0 : this.#failures;
    const delayMs = backoffDelayMs(backoff ?? RESTART_BACKOFF, this.#failures, random);
    this.#failures++;
    this.#restarts++;
    this.#status = { kind: "waiting", restarts: this.#restarts };
    this.#cancelRestart = clock.after(delayMs, () => this.#launch());
  }
}

type WithoutEnd<Status> = Status extends unknown ? Omit<Status, "lastEnd"> : never;
type State = WithoutEnd<ProcessStatus>;

/** An end that was just noticed: the last of what the process wrote may still be on its way. */
interface Ending {
  readonly exit: string;
  readonly output: OutputTail | undefined;
  readonly before: ProcessEnd | undefined;
}

const endOf = ({ exit, output, before }: Ending): ProcessEnd => {
  if (output === undefined) return { exit, alike: 0 };
  const { complaint } = output;
  const isSame = before?.exit === exit && before.complaint === complaint;
  return { exit, ...(complaint !== undefined && { complaint }), alike: isSame ? before.alike + 1 : 1 };
};
