import { readFileSync } from "node:fs";
import type { ProxyProcess } from "../ways/way.ts";

/**
 * Proportional set size in KiB: what a process has for itself, and its share of what others use too (proc(5), smaps_rollup).
 * @returns undefined where it may not be read: an ordinary user may not look into processes of other user ids
 */
export const pssKib = ({ pid }: ProxyProcess): number | undefined => {
  try {
    return Number(/^Pss:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
  } catch {
    return undefined;
  }
};

/** @returns undefined if any of them may not be read */
export const sumOfPssKib = (processes: readonly ProxyProcess[]): number | undefined => {
  let sum = 0;
  for (const process of processes) {
    const pss = pssKib(process);
    if (pss === undefined) return undefined;
    sum += pss;
  }
  return sum;
};
