import { readFileSync } from "node:fs";

/** How many user ids this process can use: those from 0 up to the answer. */
export const mappedUids = (): number => countMappedUids(readFileSync("/proc/self/uid_map", "utf8"));

/** Reads /proc/PID/uid_map (user_namespaces(7)): lines of first id inside, first id outside, count. */
export const countMappedUids = (uidMap: string): number => {
  const ranges = uidMap
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .toSorted(([a = 0], [b = 0]) => a - b);
  let count = 0;
  for (const [inside = 0, , length = 0] of ranges) {
    if (inside > count) break;
    count = Math.max(count, inside + length);
  }
  return count;
};
