import { Socket } from "node:net";
import { type AgentOrder, encodeAgentOrder } from "../channel/agent-order.ts";
import { FrameReader, MAX_UP_FRAME_BYTES } from "../channel/frame.ts";
import { decodeWorkerReport, type WorkerReport } from "../channel/worker-report.ts";

/** What a worker that does not read may have waiting before it is given up, in bytes. */
const MAX_UNSENT_BYTES = 256 * 1024 * 1024;

/**
 * After so many calls of {@link WorkerLink.check} without a word it is given up. Calls are counted and not time: an agent that
 * was held up itself must not blame the workers.
 */
const MAX_SILENT_CHECKS = 10;

/** One life of a worker, as the agent sees it. */
export interface WorkerLife {
  readonly index: number;
  readonly startId: string;
  readonly pid: number;
  readonly restarts: number;
}

/** The stream to one worker. */
export class WorkerLink {
  readonly life: WorkerLife;
  readonly #socket: Socket;
  readonly #onBroken: (problem: string) => void;
  #applied = 0;
  #silentChecks = 0;

  /**
   * @param onReport what the worker says, as far as it has the right form
   * @param onBroken called once: the worker does not read, is silent, or says what no honest worker says; nothing more is sent
   *   to it
   */
  constructor(
    life: WorkerLife,
    descriptor: number,
    onReport: (report: WorkerReport) => void,
    onBroken: (problem: string) => void,
  ) {
    this.life = life;
    this.#onBroken = onBroken;
    this.#socket = new Socket({ fd: descriptor });
    const reader = new FrameReader(MAX_UP_FRAME_BYTES);
    this.#socket.on("error", () => undefined);
    this.#socket.on("data", (chunk: Buffer) => {
      this.#silentChecks = 0;
      try {
        for (const frame of reader.push(chunk)) {
          const report = decodeWorkerReport(frame);
          if (!report) return this.#give("it sent a malformed report");
          if (report.kind === "applied") this.#applied = report.generation;
          onReport(report);
        }
      } catch (error) {
        this.#give(`it sent a malformed frame: ${String(error)}`);
      }
    });
  }

  get appliedGeneration(): number {
    return this.#applied;
  }

  send(orders: readonly AgentOrder[]): void {
    if (this.#socket.destroyed) return;
    this.#socket.cork();
    for (const order of orders) this.#socket.write(encodeAgentOrder(order));
    this.#socket.uncork();
    if (this.#socket.writableLength > MAX_UNSENT_BYTES) this.#give("it does not read what is sent to it");
  }

  /** To be called every second, which is how often a worker says something. */
  check(): void {
    if (++this.#silentChecks > MAX_SILENT_CHECKS) this.#give(`it has said nothing for ${MAX_SILENT_CHECKS} s`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #give(problem: string): void {
    if (this.#socket.destroyed) return;
    this.#socket.destroy();
    this.#onBroken(problem);
  }
}
