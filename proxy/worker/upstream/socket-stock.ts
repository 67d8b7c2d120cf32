import { closeSync } from "node:fs";
import type { OutboundKind } from "../../kernel/pod-sockets.ts";

/** The smallest and the largest stock; it doubles whenever it runs dry, as the pod gets busier. */
const MIN_STOCK = 4;
const MAX_STOCK = 64;
/** Dials that wait for a socket. More than this many at once come from a pod that is out of control. */
const MAX_WAITING = 10_000;
/** The supervisor answers within a millisecond; where it does not, something is wrong with the node. */
const WAIT_MS = 5_000;

interface Waiter {
  readonly resolve: (descriptor: number) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Outbound sockets of one kind in one pod's namespace, made by the supervisor ahead of their use. */
export class SocketStock {
  readonly #request: (count: number) => void;
  readonly #sockets: number[] = [];
  readonly #waiting: Waiter[] = [];
  /** Asked for and not yet arrived. */
  #coming = 0;
  #target = MIN_STOCK;
  #isClosed = false;

  /** @param request asks the supervisor for so many sockets of this kind */
  constructor(request: (count: number) => void) {
    this.#request = request;
  }

  /** @returns a socket that belongs to the caller. @throws Error if none comes, or the pod is gone */
  take(): Promise<number> {
    const socket = this.#sockets.shift();
    if (this.#sockets.length * 2 <= this.#target) this.#refill();
    if (socket !== undefined) return Promise.resolve(socket);
    if (this.#isClosed || this.#waiting.length >= MAX_WAITING)
      return Promise.reject(new Error("no socket for the pod"));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        // What was asked for may never come: the supervisor forgets requests when it restarts a worker.
        this.#coming = 0;
        reject(new Error(`the supervisor sent no socket within ${WAIT_MS} ms`));
      }, WAIT_MS);
      const waiter: Waiter = { resolve, reject, timer };
      this.#waiting.push(waiter);
    });
  }

  /** Sockets have arrived. */
  add(sockets: readonly number[]): void {
    this.#coming = Math.max(0, this.#coming - sockets.length);
    for (const socket of sockets) {
      const waiter = this.#waiting.shift();
      if (this.#isClosed) closeSync(socket);
      else if (waiter) {
        clearTimeout(waiter.timer);
        waiter.resolve(socket);
      } else this.#sockets.push(socket);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const socket of this.#sockets.splice(0)) closeSync(socket);
    for (const { timer, reject } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(new Error("the pod is gone"));
    }
  }

  #refill(): void {
    if (this.#isClosed) return;
    if (this.#sockets.length === 0) this.#target = Math.min(this.#target * 2, MAX_STOCK);
    const wanted = this.#target + this.#waiting.length - this.#sockets.length - this.#coming;
    if (wanted <= 0) return;
    this.#coming += wanted;
    this.#request(wanted);
  }
}

/** The stocks of one pod. */
export type SocketStocks = Readonly<Record<OutboundKind, SocketStock>>;
