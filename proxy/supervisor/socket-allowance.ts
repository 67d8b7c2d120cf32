import { Allowance } from "./allowance.ts";

/** What a worker that is alive and honest does not exceed: a connection costs it more than 100 us, and us 8 us a socket. */
const SOCKETS_PER_SECOND = 20_000;
/** What it may ask for at once, after it was quiet. */
const BURST = 20_000;

/** How many outbound sockets a worker may still ask for, so that no worker can keep the supervisor busy. */
export class SocketAllowance {
  readonly #now: () => number;
  readonly #allowance: Allowance;
  #weighedAt: number;
  /** Handed out lately; halves every ten seconds. What {@link chooseHome} weighs. */
  #recent = 0;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.#now = now;
    this.#allowance = new Allowance(now, { perSecond: SOCKETS_PER_SECOND, burst: BURST });
    this.#weighedAt = now();
  }

  /** @returns how many of `wanted` may be made now */
  take(wanted: number): number {
    const granted = this.#allowance.take(wanted);
    this.#recent = this.recent + granted;
    return granted;
  }

  get recent(): number {
    const now = this.#now();
    this.#recent *= 0.5 ** ((now - this.#weighedAt) / 10_000);
    this.#weighedAt = now;
    return this.#recent;
  }
}
