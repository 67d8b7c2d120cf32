import { Deadline } from "./http1-deadline.ts";
import type { Http1Patience } from "./http1-limits.ts";

/**
 * What has a time of its own: the client, with a next request, the rest of one, taking what we send, taking the last of it, or
 * closing; or else us.
 */
export type WaitsFor = "request" | "head" | "content" | "rest" | "room" | "leaving" | "close" | "us";

/** The time that a client has for what it is waited for. */
export class ServerClock {
  #times: Readonly<Record<WaitsFor, number>>;
  readonly #drainMs: number;
  readonly #deadline: Deadline;
  #waitsFor: WaitsFor | undefined;

  /** It begins with the time of a first head. */
  constructor({ headMs, contentIdleMs, keepAliveMs, drainMs, closeMs }: Http1Patience, onPassed: () => void) {
    this.#times = {
      request: keepAliveMs,
      head: headMs,
      content: contentIdleMs,
      rest: closeMs,
      room: contentIdleMs,
      leaving: contentIdleMs,
      close: closeMs,
      us: Infinity,
    };
    this.#drainMs = drainMs;
    this.#deadline = new Deadline(onPassed);
    this.#deadline.set(headMs);
  }

  /** Its time runs from now on, unless it was running. @returns whether that is new */
  await(what: WaitsFor): boolean {
    if (what === this.#waitsFor) return false;
    this.#waitsFor = what;
    const ms = this.#times[what];
    if (ms === Infinity) this.#deadline.clear();
    else this.#deadline.set(ms);
    return true;
  }

  /** A next request has only the time from now on that a server which drains has for it. */
  hurry(): void {
    const request = Math.min(this.#times.request, this.#drainMs);
    this.#times = { ...this.#times, request };
    if (this.#waitsFor === "request") this.#deadline.set(request);
  }

  /** Something came: the next time runs from its beginning. */
  renew(): void {
    this.#waitsFor = undefined;
  }

  stop(): void {
    this.#deadline.stop();
  }
}
