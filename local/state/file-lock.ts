import { closeSync, openSync } from "node:fs";
import koffi from "koffi";

const LOCK_EX_NB = 2 | 4;

const flock = koffi.load("libc.so.6").func("int flock(int, int)") as (fd: number, operation: number) => number;

/**
 * Takes a lock that the kernel gives back when this process ends, however it ends (flock(2)).
 * @returns a function that gives it back earlier; undefined if somebody else holds it.
 */
export const lockFile = (path: string): (() => void) | undefined => {
  const fd = openSync(path, "w", 0o600);
  if (flock(fd, LOCK_EX_NB) === 0) return () => closeSync(fd);
  closeSync(fd);
  return undefined;
};
