import type { ConfinedProgram } from "../supervisor/confined-process.ts";
import type { Log } from "../supervisor/log.ts";
import type { AgentMessage, WorkerMessage } from "../channel/message.ts";
import { close } from "../kernel/libc.ts";

/** For tests: in place of a process that the supervisor starts. It is told things, writes bytes, and ends as the test says. */
export class FakeProcess {
  /** Every one that was started, in order. */
  static readonly started: FakeProcess[] = [];
  /** Has the next starts fail as when the system has no room. */
  static failures = 0;

  readonly program: ConfinedProgram;
  readonly pid = 1_000 + FakeProcess.started.length;
  readonly messages: (WorkerMessage | AgentMessage)[] = [];
  wasKilled = false;
  readonly #onExit: (reason: string) => void;
  #onBytes: (bytes: Uint8Array) => void = () => undefined;

  constructor(program: ConfinedProgram, _log: Log, onExit: (reason: string) => void) {
    if (FakeProcess.failures > 0) {
      FakeProcess.failures--;
      throw new Error("spawn EMFILE");
    }
    this.program = program;
    this.#onExit = onExit;
    FakeProcess.started.push(this);
  }

  send(message: WorkerMessage | AgentMessage, descriptors: readonly number[] = []): void {
    this.messages.push(message);
    for (const descriptor of descriptors) close(descriptor);
  }

  onBytes(listener: (bytes: Uint8Array) => void): void {
    this.#onBytes = listener;
  }

  kill(): void {
    this.wasKilled = true;
  }

  /** It writes on its bell. */
  write(bytes: Uint8Array): void {
    this.#onBytes(bytes);
  }

  /** It has ended. */
  end(reason = "SIGSEGV"): void {
    this.#onExit(reason);
  }

  /** What it was told, by kind, in order. */
  get kinds(): readonly string[] {
    return this.messages.map(({ kind }) => kind);
  }

  /** The last that was started with a title. @throws Error if there is none */
  static latest(title: string): FakeProcess {
    const found = FakeProcess.started.findLast(({ program }) => program.title === title);
    if (!found) throw new Error(`no ${title} among ${FakeProcess.started.map(({ program }) => program.title).join()}`);
    return found;
  }
}
