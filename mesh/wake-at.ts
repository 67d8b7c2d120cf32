import type { Clock } from "./clock.ts";

/** Timers stand still while the machine sleeps, and do not see the time of day being set: the clock is looked at so often. */
const LONGEST_SLEEP_MS = 60_000;

/**
 * Runs `action` once at a time of day, of which timers know nothing. After a clock went forward, or the machine slept, it comes a
 * minute late at most. A clock that goes back does not put it off: it never takes longer than it would have taken at first.
 * @param time milliseconds since 1970
 * @returns a function that cancels it
 */
export const wakeAt = (clock: Clock, time: number, action: () => void): (() => void) => {
  let cancel: () => void;
  const sleep = (restMs: number): void => {
    const sleepMs = Math.min(Math.max(restMs, 0), LONGEST_SLEEP_MS);
    cancel = clock.after(sleepMs, () => {
      const leftMs = Math.min(time - clock.now(), restMs - sleepMs);
      if (leftMs <= 0) action();
      else sleep(leftMs);
    });
  };
  sleep(time - clock.now());
  return () => cancel();
};
