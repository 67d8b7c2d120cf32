import { ConfinedProcess } from "./confined-process.ts";
import type { Log } from "./log.ts";
import type { SupervisorSettings } from "./settings.ts";
import type { AgentMessage } from "../channel/message.ts";

const RESTART_DELAYS_MS = [0, 100, 500];
const MAX_RESTART_DELAY_MS = 2_000;
/** An agent that lived so long counts as started. */
const SETTLED_MS = 10_000;
const MAX_HEAP_MB = 512;

/** Starts the agent, and again when it ends. The workers go on serving meanwhile. */
export class AgentProcess {
  readonly #settings: SupervisorSettings;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #onStarted: () => void;
  #process: ConfinedProcess | undefined;
  #stopped = false;

  /** @param onStarted called at every start: the new agent knows nothing, tell it everything */
  constructor(settings: SupervisorSettings, log: Log, now: () => number, onStarted: () => void) {
    this.#settings = settings;
    this.#log = log;
    this.#now = now;
    this.#onStarted = onStarted;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  start(failures = 0): void {
    if (this.#stopped) return;
    const { program, firstUid, cacheDir, agentEnvironment } = this.#settings;
    const startedAt = this.#now();
    this.#process = new ConfinedProcess(
      {
        title: "agent",
        entry: "proxy/agent/main.ts",
        program,
        uid: firstUid,
        hasNetwork: true,
        maxHeapMb: MAX_HEAP_MB,
        cacheDir,
        environment: { ...agentEnvironment, HEDDLE_ISOLATION: firstUid === undefined ? "reduced" : "full" },
      },
      this.#log,
      (reason) => {
        this.#process = undefined;
        if (this.#stopped) return;
        const settled = this.#now() - startedAt > SETTLED_MS;
        this.#log("error", "agent ended", { reason });
        const delayMs = settled ? 0 : (RESTART_DELAYS_MS[failures] ?? MAX_RESTART_DELAY_MS);
        setTimeout(() => this.start(settled ? 1 : failures + 1), delayMs);
      },
    );
    this.#onStarted();
  }

  /** Tells the agent something, if there is one; a new one is told everything anyway. */
  send(message: AgentMessage, descriptors: readonly number[] = []): void {
    this.#process?.send(message, descriptors);
  }

  stop(): void {
    this.#stopped = true;
    this.#process?.kill();
  }
}
