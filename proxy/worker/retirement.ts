import type { Clock } from "#mesh/clock.ts";
import { LAST_END_MS } from "./exchange/splice.ts";
import type { ServedPod } from "./served-pod.ts";

/** How often it is looked what is left. */
const LOOK_MS = 100;
/** After the last exchange was let go of: for GOAWAY and the end of the connections that carried the tunnels. */
const CARRIERS_MS = 2_000;

export interface RetirementEvents {
  /** So many connections are left; told again and again. */
  readonly left: (connections: number) => void;
  /** Nothing is left. */
  readonly over: () => void;
}

/**
 * The end of a worker whose pods others serve from now on. What is open may end by itself until the deadline; then it is ended
 * in order, and what does not take notice of that is left behind.
 *
 *   draining --nothing is left--> over
 *   draining --drainMs--> ending --nothing is left--> over
 *   ending --LAST_END_MS + CARRIERS_MS--> over
 */
export class Retirement {
  readonly #pods: () => Iterable<ServedPod>;
  readonly #clock: Clock;
  readonly #events: RetirementEvents;
  readonly #endAt: number;

  /** @param clock one that only goes forward */
  constructor(pods: () => Iterable<ServedPod>, drainMs: number, clock: Clock, events: RetirementEvents) {
    this.#pods = pods;
    this.#clock = clock;
    this.#events = events;
    this.#endAt = clock.now() + drainMs;
    for (const pod of pods()) pod.retire();
    this.#look();
  }

  #look(): void {
    const now = this.#clock.now();
    // Also what was being connected at the deadline and is open only now.
    if (now >= this.#endAt) for (const pod of this.#pods()) pod.endExchanges();
    const { connections, carriers } = this.#remaining();
    this.#events.left(connections);
    const isTooLate = now >= this.#endAt + LAST_END_MS + CARRIERS_MS;
    if (isTooLate) for (const pod of this.#pods()) pod.close();
    if (isTooLate || connections + carriers === 0) this.#events.over();
    else this.#clock.after(LOOK_MS, () => this.#look());
  }

  #remaining(): ServedPod["remaining"] {
    let [connections, carriers] = [0, 0];
    for (const { remaining } of this.#pods()) {
      connections += remaining.connections;
      carriers += remaining.carriers;
    }
    return { connections, carriers };
  }
}
