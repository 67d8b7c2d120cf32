import type { Log } from "./log.ts";

/** A log for what may happen many times a second and is said once in `everyMs`, with how often it was not. */
export const seldomLog = (log: Log, now: () => number, everyMs: number): Log => {
  let saidAt = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  return (level, message, fields = {}) => {
    if (now() - saidAt < everyMs) {
      unsaid++;
      return;
    }
    log(level, message, unsaid === 0 ? fields : { ...fields, unsaid });
    saidAt = now();
    unsaid = 0;
  };
};
