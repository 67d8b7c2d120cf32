import type { Clock } from "#mesh/clock.ts";
import type { Log } from "../log.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Enough to see what happens, too little to fill a disk with. */
const LIMIT = { burst: 20, perSecond: 1 };

/** Tells of callers that did not prove who they are. Anybody who reaches the port can be one, as often as they like. */
export class RefusalLog {
  readonly #log: Log;
  readonly #bucket: TokenBucket;
  #untold = 0;

  constructor(log: Log, clock: Pick<Clock, "now">) {
    this.#log = log;
    this.#bucket = new TokenBucket(LIMIT, clock);
  }

  /** One line, or one more in the count of the next line. */
  refused(facts: object, message: string): void {
    if (!this.#bucket.take()) {
      this.#untold += 1;
      return;
    }
    this.#log.warn({ ...facts, ...(this.#untold > 0 ? { untold: this.#untold } : {}) }, message);
    this.#untold = 0;
  }
}
