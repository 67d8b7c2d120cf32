import { fstatSync, openSync, readdirSync } from "node:fs";

/** For tests: how many descriptors this process has open. */
export const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

/** For tests: a descriptor of a file that is always there. */
export const someDescriptor = (path = "/dev/null"): number => openSync(path, "r");

/** For tests: what a descriptor stands for, the same for its duplicates; undefined if it is closed. */
export const fileOf = (descriptor: number): string | undefined => {
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
};
