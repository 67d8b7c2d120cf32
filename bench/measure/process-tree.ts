import { readdirSync, readFileSync } from "node:fs";

/** A process as this machine sees it, from wherever it is. */
export interface TreeProcess {
  readonly pid: number;
  readonly parent: number;
  /** The program's name (comm of proc(5)). */
  readonly name: string;
  readonly commandLine: string;
  /** As the innermost pid namespace that it is in knows it, and those around that. */
  readonly namespacePids: readonly number[];
}

/** The process and everything below it. */
export const processTree = (root: number): readonly TreeProcess[] => {
  const all = readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
  return below(all, [root]);
};

/** The processes that descend from these, and these. */
export const below = (all: readonly TreeProcess[], roots: readonly number[]): readonly TreeProcess[] => {
  const found = new Set(roots);
  for (let size = 0; size < found.size;) {
    size = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return all.filter(({ pid }) => found.has(pid));
};

/** @returns undefined if it is gone */
const readProcess = (pid: number): TreeProcess | undefined => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return {
      pid,
      parent: Number(fieldOf(status, "PPid")),
      name: fieldOf(status, "Name"),
      commandLine,
      namespacePids: fieldOf(status, "NSpid").split(/\s+/).map(Number),
    };
  } catch {
    return undefined;
  }
};

const fieldOf = (status: string, name: string): string => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
