import { randomUUID } from "node:crypto";
import { ConfinedProcess } from "./confined-process.ts";
import type { Log } from "./log.ts";
import type { SupervisorSettings } from "./settings.ts";
import { AGENT_RECORD_BYTES, type AgentRecord, decodeAgentRecord } from "../channel/agent-record.ts";
import type { AgentMessage } from "../channel/message.ts";
import { recordReader } from "../channel/record-reader.ts";

const RESTART_DELAYS_MS = [0, 100, 500];
const MAX_RESTART_DELAY_MS = 2_000;
/** An agent that lived so long counts as started. */
const SETTLED_MS = 10_000;
const MAX_HEAP_MB = 512;
/** What is in its memory takes no time to write, if anybody reads it. */
const FINISH_MS = 3_000;
/** How often an agent says that it is alive, and how often it is looked whether it did. */
const CHECK_MS = 1_000;
/**
 * After so many looks without a word it is ended. Looks are counted and not time: a supervisor that was held up itself must not
 * blame the agent.
 */
const MAX_SILENT_CHECKS = 10;
/** Its first word comes when it has started, which takes long on a node where everything starts. */
const CHECKS_TO_START = 60;

export interface AgentEvents {
  /** Called at every start: the new agent knows nothing, tell it everything. */
  readonly started: () => void;
  /** Called when it has ended after {@link AgentProcess.finish}. */
  readonly finished: () => void;
  /** What it says, beside that it is alive. */
  readonly record: (record: Exclude<AgentRecord, { kind: "alive" }>) => void;
}

/** Starts the agent, and again when it ends. The workers go on serving meanwhile. */
export class AgentProcess {
  readonly #settings: SupervisorSettings;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #events: AgentEvents;
  /** The same for one agent after the other: to the control plane the next takes the place of the one before. */
  readonly #instance = randomUUID();
  #process: ConfinedProcess | undefined;
  #stopped = false;
  /** Looks that the agent may still be silent for. */
  #patience = 0;
  #checks: NodeJS.Timeout | undefined;

  constructor(settings: SupervisorSettings, log: Log, now: () => number, events: AgentEvents) {
    this.#settings = settings;
    this.#log = log;
    this.#now = now;
    this.#events = events;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  start(failures = 0): void {
    if (this.#stopped) return;
    const startedAt = this.#now();
    this.#patience = CHECKS_TO_START;
    this.#checks ??= setInterval(() => this.#check(), CHECK_MS);
    const ended = (reason: string): void => {
      this.#process = undefined;
      if (this.#stopped) return this.#events.finished();
      const settled = this.#now() - startedAt > SETTLED_MS;
      this.#log("error", "agent ended", { reason });
      const delayMs = settled ? 0 : (RESTART_DELAYS_MS[failures] ?? MAX_RESTART_DELAY_MS);
      setTimeout(() => this.start(settled ? 1 : failures + 1), delayMs);
    };
    try {
      this.#process = this.#startProcess(ended);
    } catch (error) {
      return ended(String(error));
    }
    this.#events.started();
  }

  /** Tells the agent something, if there is one; a new one is told everything anyway. */
  send(message: AgentMessage, descriptors: readonly number[] = []): void {
    this.#process?.send(message, descriptors);
  }

  /** Ends the agent; another takes its place. */
  kill(): void {
    this.#process?.kill();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#checks);
    this.kill();
  }

  /** Lets the agent write what it has still to write, and end; none takes its place. */
  finish(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#checks);
    if (!this.#process) return this.#events.finished();
    this.#process.end();
    setTimeout(() => this.kill(), FINISH_MS);
  }

  /** An agent that hangs holds certificates and configuration back, and nobody is told of it. */
  #check(): void {
    if (!this.#process || --this.#patience >= 0) return;
    this.#log("error", "agent says nothing; ending it", { pid: this.#process.pid, looks: MAX_SILENT_CHECKS });
    this.#patience = MAX_SILENT_CHECKS;
    this.kill();
  }

  #startProcess(onExit: (reason: string) => void): ConfinedProcess {
    const { program, firstUid, cacheDir, agentEnvironment } = this.#settings;
    const process = new ConfinedProcess(
      {
        title: "agent",
        entry: "proxy/agent/main.ts",
        program,
        uid: firstUid,
        hasNetwork: true,
        maxHeapMb: MAX_HEAP_MB,
        cacheDir,
        environment: {
          ...agentEnvironment,
          HEDDLE_ISOLATION: firstUid === undefined ? "reduced" : "full",
          HEDDLE_INSTANCE: this.#instance,
        },
      },
      this.#log,
      onExit,
    );
    process.onBytes(recordReader(AGENT_RECORD_BYTES, this.#listener(process)));
    return process;
  }

  /** An agent that writes what no honest agent writes is not one any more; whatever else it has written is not read. */
  #listener(process: ConfinedProcess): (bytes: Uint8Array) => void {
    let isTrusted = true;
    return (bytes) => {
      const record = isTrusted ? decodeAgentRecord(bytes) : undefined;
      if (record) this.#patience = MAX_SILENT_CHECKS;
      if (record?.kind === "alive") return undefined;
      if (record) return this.#events.record(record);
      if (!isTrusted) return;
      isTrusted = false;
      this.#log("error", "agent sent a malformed record; ending it");
      process.kill();
    };
  }
}
