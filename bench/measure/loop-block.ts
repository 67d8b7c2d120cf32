import { closeSync, openSync, readSync } from "node:fs";

const TICK_MS = 1;

/** For how long an event loop did not turn, at the longest. */
export interface LongestTurn {
  /** What the thread did, or slept in, meanwhile. */
  readonly ownMs: number;
  /** By the clock: with what it waited for others on its core. */
  readonly wallMs: number;
}

/** Watches the event loop of this thread, a thousand times a second. */
export class LoopBlock {
  readonly #schedstat = openSync("/proc/thread-self/schedstat", "r");
  readonly #buffer = Buffer.alloc(128);
  #timer: NodeJS.Timeout | undefined;
  #longest: LongestTurn = NOTHING;
  #last = { now: 0, waited: 0 };

  begin(): void {
    clearInterval(this.#timer);
    this.#longest = NOTHING;
    this.#last = this.#read();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  end(): LongestTurn {
    clearInterval(this.#timer);
    return this.#longest;
  }

  close(): void {
    clearInterval(this.#timer);
    closeSync(this.#schedstat);
  }

  #tick(): void {
    const next = this.#read();
    const wallMs = Math.max(0, next.now - this.#last.now - TICK_MS);
    const ownMs = Math.max(0, wallMs - (next.waited - this.#last.waited));
    this.#last = next;
    this.#longest = {
      ownMs: Math.max(ownMs, this.#longest.ownMs),
      wallMs: Math.max(wallMs, this.#longest.wallMs),
    };
  }

  /** The second field is the time for which the thread could have run and did not, in ns (Documentation/scheduler/sched-stats.rst). */
  #read(): { readonly now: number; readonly waited: number } {
    const length = readSync(this.#schedstat, this.#buffer, 0, this.#buffer.length, 0);
    const [, waitedNs = ""] = this.#buffer.toString("latin1", 0, length).split(" ");
    return { now: performance.now(), waited: Number(waitedNs) / 1e6 };
  }
}

const NOTHING: LongestTurn = { ownMs: 0, wallMs: 0 };
