import { readFileSync } from "node:fs";

/** What an operator does about it, for whoever starts the node's proxy. */
export const OPEN_FILES_REMEDY =
  "raise the limit of open files of the node's proxy (LimitNOFILE of its unit, ulimit -n)";

/**
 * How many descriptors this process may have: RLIMIT_NOFILE, of which Node.js takes at its start as much as it may have.
 * Only before other files are forbidden.
 */
export const openFileLimit = (): number => {
  const limit = /^Max open files +([0-9]+|unlimited)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  if (limit === undefined) throw new Error("/proc/self/limits does not say how many files may be open");
  return limit === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(limit);
};
