import { randomUUID } from "node:crypto";
import { ConfinedProcess } from "./confined-process.ts";
import type { Log } from "./log.ts";
import type { SupervisorSettings } from "./settings.ts";
import { SocketAllowance } from "./socket-allowance.ts";
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

  /** Starts one more, for pods that are to be alone. @returns its index */
  addIsolated(): number {
    let index = this.#settings.workers;
    while (this.#wanted.has(index)) index++;
    this.#isolated.add(index);
    this.#add(index);
    return index;
  }

  /** Ends a worker for good. */
  remove(index: number): void {
    this.#wanted.delete(index);
    this.#isolated.delete(index);
    this.#running.get(index)?.process.kill();
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
    if (!this.#wanted.has(index)) return;
    const { program, firstUid, cacheDir, workerEnvironment } = this.#settings;
    const startedAt = this.#now();
    const startId = randomUUID();
    const ended = (reason: string): void => {
      this.#running.delete(index);
      const settled = this.#now() - startedAt > SETTLED_MS;
      const delayMs = settled ? 0 : (RESTART_DELAYS_MS[failures] ?? MAX_RESTART_DELAY_MS);
      this.#log("error", "worker ended", { worker: index, pid: process.pid, reason });
      this.#events.ended(worker, reason);
      setTimeout(() => this.#start(index, restarts + 1, settled ? 1 : failures + 1), delayMs);
    };
    const process = new ConfinedProcess(
      {
        title: `worker ${index}`,
        entry: "proxy/worker/main.ts",
        program,
        uid: firstUid === undefined ? undefined : firstUid + 1 + index,
        hasNetwork: false,
        maxHeapMb: MAX_HEAP_MB,
        cacheDir,
        environment: { ...workerEnvironment, HEDDLE_WORKER: String(index) },
      },
      this.#log,
      ended,
    );
    const allowance = new SocketAllowance(this.#now);
    const worker: Worker = { index, startId, restarts, process, allowance };
    this.#running.set(index, worker);
    process.onBytes(recordReader((bytes) => this.#read(worker, bytes)));
    this.#events.started(worker);
  }

  /** A worker that writes what no honest worker writes is not one any more. */
  #read(worker: Worker, bytes: Uint8Array): void {
    const record = decodeWorkerRecord(bytes);
    if (record) return this.#events.record(worker, record);
    this.#log("error", "worker sent a malformed record; ending it", { worker: worker.index });
    worker.process.kill();
  }
}

/** Cuts a stream into records. What is held is always less than one. */
const recordReader = (onRecord: (bytes: Uint8Array) => void): ((chunk: Uint8Array) => void) => {
  let held = Buffer.alloc(0);
  return (chunk) => {
    const bytes = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]);
    let start = 0;
    for (; bytes.length - start >= RECORD_BYTES; start += RECORD_BYTES) {
      onRecord(bytes.subarray(start, start + RECORD_BYTES));
    }
    held = bytes.subarray(start);
  };
};
