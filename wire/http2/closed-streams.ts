import type { StreamState } from "./stream-state.ts";

/** More than twice the streams that one connection has at a time: what is in flight when they are all closed. */
const REMEMBERED = 256;

const STATES = ["ended", "reset-by-us", "reset-by-peer"] as const satisfies readonly StreamState[];

/**
 * How streams that are gone were closed: what was under way when a stream was reset is treated otherwise than what comes after
 * its end. The last ones are remembered.
 */
export class ClosedStreams {
  /** `id * 3 + index of the state`, written around in a ring. */
  #ring: Float64Array | undefined;
  #count = 0;

  /** @param state how it was closed; the last one counts where a stream is added twice */
  add(streamId: number, state: StreamState): void {
    const index = STATES.indexOf(state as (typeof STATES)[number]);
    this.#ring ??= new Float64Array(REMEMBERED);
    this.#ring[this.#count++ % REMEMBERED] = streamId * STATES.length + index;
  }

  /**
   * @param streamId not above the last one that was opened
   * @returns `skipped` for one that was never added, `forgotten` where that cannot be told any more
   */
  stateOf(streamId: number): StreamState {
    const ring = this.#ring ?? [];
    const oldest = Math.max(0, this.#count - REMEMBERED);
    for (let at = this.#count - 1; at >= oldest; at--) {
      const entry = ring[at % REMEMBERED] as number;
      if (Math.floor(entry / STATES.length) === streamId) return STATES[entry % STATES.length] as StreamState;
    }
    return oldest === 0 ? "skipped" : "forgotten";
  }
}
