import { Socket } from "node:net";
import { type AgentOrder, decodeAgentOrder } from "../channel/agent-order.ts";
import { FrameReader, MAX_DOWN_FRAME_BYTES } from "../channel/frame.ts";
import { encodeWorkerReport, type WorkerReport } from "../channel/worker-report.ts";

/** Reports that an agent which does not read may leave unsent, in bytes, before reports are held back. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;

/** The stream to the agent. Agents come and go; the worker serves on with what it has. */
export class AgentLink {
  #socket: Socket | undefined;
  readonly #onOrder: (order: AgentOrder) => void;
  readonly #onBatch: () => void;

  /** @param onBatch called after the orders of one piece of input */
  constructor(onOrder: (order: AgentOrder) => void, onBatch: () => void) {
    this.#onOrder = onOrder;
    this.#onBatch = onBatch;
  }

  /** A new agent is at the other end of this stream; an earlier one is gone. */
  replace(descriptor: number): void {
    this.#socket?.destroy();
    const socket = new Socket({ fd: descriptor });
    this.#socket = socket;
    const reader = new FrameReader(MAX_DOWN_FRAME_BYTES);
    socket.on("data", (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) this.#onOrder(decodeAgentOrder(frame));
      this.#onBatch();
    });
    socket.on("error", () => undefined);
    socket.once("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
  }

  /** Whether there is an agent that reads. */
  get isUp(): boolean {
    return this.#socket !== undefined && this.#socket.writableLength < MAX_UNSENT_BYTES;
  }

  /** Says that nothing more comes. Resolves when the agent has read everything; at once if there is none. */
  finish(): Promise<void> {
    const socket = this.#socket;
    if (!socket || socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once("close", () => resolve());
      // The agent ends its direction when it has seen our end.
      socket.end();
    });
  }

  send(report: WorkerReport): void {
    for (const frame of encodeWorkerReport(report)) this.#socket?.write(frame);
  }
}
