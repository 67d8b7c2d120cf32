import type { Clock } from "#mesh/clock.ts";

/** A clock that stands still until it is turned. */
export interface TurnedClock extends Pick<Clock, "now"> {
  turn(ms: number): void;
}

export const turnedClock = (start: number): TurnedClock => {
  let now = start;
  return {
    now: () => now,
    turn: (ms) => {
      now += ms;
    },
  };
};
