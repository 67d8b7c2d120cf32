import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Shortcoming } from "./kernel-abilities.ts";

/**
 * Whether the processes of a node, which run under user ids of their own, could read the project's files. The project's
 * own folder may be closed to others, and everything above it: only what is in it counts.
 */
export const programTreeShortcoming = (program: string): Shortcoming | undefined => {
  const closed = readdirSync(program)
    .filter((name) => !name.startsWith("."))
    .map((name) => join(program, name))
    .flatMap((path) => [path, ...entriesOf(path)])
    .find((path) => !isOpen(path));
  return closed === undefined
    ? undefined
    : {
        what: `other user ids cannot read ${closed}, but the processes of a node run under user ids of their own`,
        remedy: `chmod -R o+rX ${program}/*`,
      };
};

const isOpen = (path: string): boolean => {
  const { mode } = statSync(path);
  const needed = (mode & 0o040000) === 0 ? 0o004 : 0o005;
  return (mode & needed) === needed;
};

/** What is in a folder; links in node_modules may lead nowhere. */
const entriesOf = (path: string): readonly string[] =>
  statSync(path).isDirectory()
    ? readdirSync(path)
        .map((name) => join(path, name))
        .filter((entry) => statSync(entry, { throwIfNoEntry: false }) !== undefined)
    : [];
