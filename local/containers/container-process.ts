import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { err, ok, type Result } from "#mesh/result.ts";
import { containerCommand, type ContainerHost, type ContainerPlace } from "./container-command.ts";
import type { ContainerPlan } from "./container-plan.ts";

/** How a container ended. */
export interface ContainerExit {
  /** 128 + the signal's number where a signal ended it, as shells count. */
  readonly code: number;
  readonly reason: string;
}

/** One life of a container: from the moment its surroundings are made to the end of its first process. */
export class ContainerProcess {
  /** The pid of its first process, once the command runs; or why it could not be started. */
  readonly started: Promise<Result<number, string>>;
  readonly exited: Promise<ContainerExit>;
  readonly #child: ChildProcess;
  #pid: number | undefined;

  constructor(host: ContainerHost, place: ContainerPlace, plan: ContainerPlan, log: Writable) {
    const { command, environment } = containerCommand(host, place, plan);
    const [program, ...args] = command;
    this.#child = spawn(program, args, {
      env: environment,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    });
    this.#child.stdout?.pipe(log, { end: false });
    this.#child.stderr?.pipe(log, { end: false });
    this.started = this.#start();
    this.exited = exitOf(this.#child);
  }

  /** Asks the command to end. */
  terminate(): void {
    this.#signal("SIGTERM");
  }

  /** Ends the container with everything that runs in it. */
  kill(): void {
    this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    // Before the first process is known, the one that makes the surroundings takes it down with itself.
    if (this.#pid === undefined) this.#child.kill("SIGKILL");
    else process.kill(this.#pid, signal);
  }

  /** Reads the report of surroundings.sh. Its last word counts: the pipe itself stays open with unshare(1). */
  #start(): Promise<Result<number, string>> {
    const { promise, resolve } = Promise.withResolvers<Result<number, string>>();
    const report = this.#child.stdio[3] as Readable;
    let text = "";
    report.setEncoding("utf8");
    report.on("data", (part: string) => {
      text += part;
      this.#pid ??= Number(/^pid (\d+)$/m.exec(text)?.[1] ?? Number.NaN) || undefined;
      if (this.#pid !== undefined && /^started$/m.test(text)) resolve(ok(this.#pid));
    });
    report.once("close", () => {
      const complaint = text.replace(/^pid \d+\n/, "").trim();
      resolve(err(complaint === "" ? "its first process could not be started" : complaint));
    });
    return promise;
  }
}

const exitOf = (child: ChildProcess): Promise<ContainerExit> =>
  new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: 127, reason: error.message }));
    // Its output is complete by then: what it left behind ended with its pid namespace.
    child.once("close", (code, signal) => {
      if (signal !== null) resolve({ code: 128 + constants.signals[signal], reason: `ended by ${signal}` });
      else resolve({ code: code ?? 0, reason: `exit code ${code ?? 0}${meaning(code)}` });
    });
  });

/** What env(1) says with its exit codes. */
const meaning = (code: number | null): string => {
  if (code === 127) return " (command not found)";
  return code === 126 ? " (command cannot be executed)" : "";
};
