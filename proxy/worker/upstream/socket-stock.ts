import { closeSync } from "node:fs";
import type { OutboundKind } from "../../kernel/pod-sockets.ts";

/** The smallest and the largest stock; it doubles whenever it runs dry, as the pod gets busier. */
const MIN_STOCK = 4;
const MAX_STOCK = 64;
/** Dials that wait for a socket. More than this many at once come from a pod that is out of control. */
const MAX_WAITING = 10_000;
/** The supervisor answers within a millisecond; where it does not, something is wrong with the node. */
const WAIT_MS = 5_000;
/**
 * It gives a worker no more than its allowance, and says nothing of the rest: after this nothing is counted on any more, and
 * what somebody waits for is asked for again.
 */
const ASK_AGAIN_MS = 100;

/** Why a dial got no socket. */
export class NoSocketError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NoSocketError";
  }
}

interface Waiter {
  readonly resolve: (descriptor: number) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Outbound sockets of one kind in one pod's namespace, made by the supervisor ahead of their use. */
export class SocketStock {
  readonly #request: (count: number) => void;
  readonly #sockets: number[] = [];
  readonly #waiting = new Set<Waiter>();
  /** Asked for and not yet arrived, as far as we know. */
  #coming = 0;
  #target = MIN_STOCK;
  /** Runs while something is coming. */
  #askAgain: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param request asks the supervisor for so many sockets of this kind */
  constructor(request: (count: number) => void) {
    this.#request = request;
  }

  /** @returns a socket that belongs to the caller. @throws NoSocketError if none comes, or the pod is gone */
  async take(): Promise<number> {
    if (this.#isClosed) throw new NoSocketError("the pod is gone");
    const socket = this.#sockets.shift();
    if (socket === undefined) return this.#wait();
    this.#refill();
    return socket;
  }

  /** Sockets have arrived. */
  add(sockets: readonly number[]): void {
    this.#coming = Math.max(0, this.#coming - sockets.length);
    if (this.#coming === 0) this.#stopAsking();
    for (const socket of sockets) {
      const [waiter] = this.#waiting;
      if (waiter) {
        this.#forget(waiter);
        waiter.resolve(socket);
      } else if (this.#isClosed || this.#sockets.length >= MAX_STOCK) closeSync(socket);
      else this.#sockets.push(socket);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#stopAsking();
    for (const socket of this.#sockets.splice(0)) closeSync(socket);
    for (const waiter of this.#waiting) {
      this.#forget(waiter);
      waiter.reject(new NoSocketError("the pod is gone"));
    }
  }

  #wait(): Promise<number> {
    if (this.#waiting.size >= MAX_WAITING) {
      return Promise.reject(new NoSocketError(`${MAX_WAITING} dials of the pod wait for a socket`));
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(() => {
      this.#forget(waiter);
      reject(new NoSocketError(`the supervisor sent no socket within ${WAIT_MS} ms; its log says why`));
    }, WAIT_MS);
    const waiter: Waiter = { resolve, reject, timer };
    this.#waiting.add(waiter);
    this.#target = Math.min(this.#target * 2, MAX_STOCK);
    this.#refill();
    return promise;
  }

  #forget(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#waiting.delete(waiter);
  }

  /** Asks when half of the stock is left, so that sockets travel in batches; what waits counts as taken already. */
  #refill(): void {
    const left = this.#sockets.length + this.#coming - this.#waiting.size;
    if (left * 2 > this.#target) return;
    this.#coming += this.#target - left;
    this.#askAgain ??= setTimeout(() => {
      this.#askAgain = undefined;
      this.#coming = 0;
      if (this.#waiting.size > 0) this.#refill();
    }, ASK_AGAIN_MS);
    this.#request(this.#target - left);
  }

  #stopAsking(): void {
    clearTimeout(this.#askAgain);
    this.#askAgain = undefined;
  }
}

/** The stocks of one pod. */
export type SocketStocks = Readonly<Record<OutboundKind, SocketStock>>;
