import { Roster } from "#mesh/roster.ts";

/** What is to be done when a signal is aborted. */
const waiting = new WeakMap<AbortSignal, Roster<() => void>>();

/**
 * Does something when a signal is aborted, which it is not yet. Thousands of dials a second wait for the same signal: they share one
 * listener, as Node.js takes five times as long to add one and to remove it.
 * @param act what it does must not throw
 * @returns how to do nothing any more
 */
export const whenAborted = (signal: AbortSignal, act: () => void): (() => void) => {
  const acts = waiting.getOrInsertComputed(signal, () => listenTo(signal));
  const place = acts.add(act);
  return () => acts.delete(place);
};

const listenTo = (signal: AbortSignal): Roster<() => void> => {
  const acts = new Roster<() => void>();
  signal.addEventListener("abort", () => {
    for (const act of acts) act();
  });
  return acts;
};
