/** What a worker that is alive and honest does not exceed: a connection costs it more than 100 us, and us 8 us a socket. */
const SOCKETS_PER_SECOND = 20_000;
/** What it may ask for at once, after it was quiet. */
const BURST = 20_000;

/** How many outbound sockets a worker may still ask for: a token bucket, so that no worker can keep the supervisor busy. */
export class SocketAllowance {
  readonly #now: () => number;
  #tokens = BURST;
  #filledAt: number;
  /** Handed out lately; halves every ten seconds. What {@link chooseHome} weighs. */
  #recent = 0;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.#now = now;
    this.#filledAt = now();
  }

  /** @returns how many of `wanted` may be made now */
  take(wanted: number): number {
    this.#advance();
    const granted = Math.min(wanted, Math.floor(this.#tokens));
    this.#tokens -= granted;
    this.#recent += granted;
    return granted;
  }

  get recent(): number {
    this.#advance();
    return this.#recent;
  }

  #advance(): void {
    const elapsedMs = this.#now() - this.#filledAt;
    this.#filledAt += elapsedMs;
    this.#tokens = Math.min(BURST, this.#tokens + (elapsedMs / 1000) * SOCKETS_PER_SECOND);
    this.#recent *= 0.5 ** (elapsedMs / 10_000);
  }
}
