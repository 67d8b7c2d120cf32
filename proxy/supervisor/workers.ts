import { randomUUID } from "node:crypto";
import { Allowance } from "./allowance.ts";
import { ConfinedProcess, type ConfinedProgram } from "./confined-process.ts";
import type { Log } from "./log.ts";
import type { SupervisorSettings } from "./settings.ts";
import { SocketAllowance } from "./socket-allowance.ts";
import { recordReader } from "../channel/record-reader.ts";
import { decodeWorkerRecord, RECORD_BYTES, type WorkerRecord } from "../channel/worker-record.ts";

/** A worker that runs. */
export interface Worker {
  readonly index: number;
  /** Tells one life of a worker from the next. */
  readonly startId: string;
  readonly restarts: number;
  readonly process: ConfinedProcess;
  readonly allowance: SocketAllowance;
}

export interface WorkerEvents {
  readonly started: (worker: Worker) => void;
  /** Called after it ended; it is started again by itself. */
  readonly ended: (worker: Worker, reason: string) => void;
  readonly record: (worker: Worker, record: WorkerRecord) => void;
}

/** The first restart is immediate; a worker that cannot start is tried again ever more slowly. */
const RESTART_DELAYS_MS = [0, 50, 200, 1_000];
const MAX_RESTART_DELAY_MS = 5_000;
/** A worker that lived so long counts as started. */
const SETTLED_MS = 10_000;
const MAX_HEAP_MB = 512;
/**
 * Records of a worker. An honest one needs at least two sockets with each, so that its sockets run out first; the burst is what
 * 1,000 pods that wait for sockets say while the supervisor stands still for 20 s.
 */
const RECORDS = { perSecond: 20_000, burst: 200_000 } as const;

/** Starts the workers, and again when they end. */
export class Workers {
  readonly #settings: SupervisorSettings;
  readonly #log: Log;
  readonly #events: WorkerEvents;
  readonly #now: () => number;
  readonly #running = new Map<number, Worker>();
  /** Workers that take no new pods: each was made for pods that crashed another. */
  readonly #isolated = new Set<number>();
  readonly #wanted = new Set<number>();
  readonly #restarts = new Map<number, NodeJS.Timeout>();

  constructor(settings: SupervisorSettings, log: Log, now: () => number, events: WorkerEvents) {
    this.#settings = settings;
    this.#log = log;
    this.#now = now;
    this.#events = events;
  }

  /** Starts the regular workers. */
  start(): void {
    for (let index = 0; index < this.#settings.workers; index++) this.#add(index);
  }

  /** Starts one more, for pods that are to be alone. @returns its index, which no worker has that runs or is to run */
  addIsolated(): number {
    let index = this.#settings.workers;
    while (this.#wanted.has(index) || this.#running.has(index)) index++;
    this.#isolated.add(index);
    this.#add(index);
    return index;
  }

  /** Ends a worker for good. */
  remove(index: number): void {
    this.#wanted.delete(index);
    this.#isolated.delete(index);
    clearTimeout(this.#restarts.get(index));
    this.#restarts.delete(index);
    this.#running.get(index)?.process.kill();
  }

  /** Those that end are not started again; those that are waited for are given up. */
  letEnd(): void {
    this.#wanted.clear();
    for (const restart of this.#restarts.values()) clearTimeout(restart);
    this.#restarts.clear();
  }

  get(index: number): Worker | undefined {
    return this.#running.get(index);
  }

  get running(): Iterable<Worker> {
    return this.#running.values();
  }

  /** Every worker that should run, whether it does at the moment or not. */
  get indexes(): readonly number[] {
    return [...this.#wanted];
  }

  isIsolated(index: number): boolean {
    return this.#isolated.has(index);
  }

  #add(index: number): void {
    this.#wanted.add(index);
    this.#start(index, 0, 0);
  }

  #start(index: number, restarts: number, failures: number): void {
    const startedAt = this.#now();
    const startAgain = (): void => {
      if (!this.#wanted.has(index)) return;
      const settled = this.#now() - startedAt > SETTLED_MS;
      const delayMs = settled ? 0 : (RESTART_DELAYS_MS[failures] ?? MAX_RESTART_DELAY_MS);
      const start = (): void => this.#start(index, restarts + 1, settled ? 1 : failures + 1);
      this.#restarts.set(index, setTimeout(start, delayMs));
    };
    const ended = (reason: string): void => {
      this.#running.delete(index);
      const level = this.#wanted.has(index) ? "error" : "info";
      this.#log(level, "worker ended", { worker: index, pid: worker.process.pid, reason });
      this.#events.ended(worker, reason);
      startAgain();
    };
    const process = this.#startProcess(index, ended);
    if (!process) return startAgain();
    const worker: Worker = {
      index,
      startId: randomUUID(),
      restarts,
      process,
      allowance: new SocketAllowance(this.#now),
    };
    this.#running.set(index, worker);
    this.#listen(worker);
    this.#events.started(worker);
  }

  /** @returns undefined if the system has no room for it at the moment */
  #startProcess(index: number, onExit: (reason: string) => void): ConfinedProcess | undefined {
    const { program, firstUid, cacheDir, workerEnvironment } = this.#settings;
    const worker: ConfinedProgram = {
      title: `worker ${index}`,
      entry: "proxy/worker/main.ts",
      program,
      uid: firstUid === undefined ? undefined : firstUid + 1 + index,
      hasNetwork: false,
      maxHeapMb: MAX_HEAP_MB,
      cacheDir,
      environment: { ...workerEnvironment, HEDDLE_WORKER: String(index) },
    };
    try {
      return new ConfinedProcess(worker, this.#log, onExit);
    } catch (error) {
      this.#log("error", "worker cannot be started", { worker: index, error: String(error) });
      return undefined;
    }
  }

  /** A worker that writes what no honest worker writes is not one any more; whatever else it has written is not read. */
  #listen(worker: Worker): void {
    const allowance = new Allowance(this.#now, RECORDS);
    let isReady = false;
    let isTrusted = true;
    const distrust = (misdeed: string): void => {
      isTrusted = false;
      this.#log("error", `worker sent ${misdeed}; ending it`, { worker: worker.index });
      worker.process.kill();
    };
    const onRecord = (bytes: Uint8Array): void => {
      if (!isTrusted) return;
      if (allowance.take(1) === 0) return distrust("more records than any honest worker");
      const record = decodeWorkerRecord(bytes);
      if (!record || (record.kind === "ready" && isReady)) return distrust("a malformed record");
      isReady ||= record.kind === "ready";
      this.#events.record(worker, record);
    };
    worker.process.onBytes(recordReader(RECORD_BYTES, onRecord));
  }
}
