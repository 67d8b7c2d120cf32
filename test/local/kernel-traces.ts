import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What a mesh has in the kernel: its processes and its namespaces. */
export interface KernelTraces {
  /** `pid:start time`, so that a pid that is used again is another process. */
  readonly processes: ReadonlySet<string>;
  /** As in `net:[4026532177]`. */
  readonly namespaces: ReadonlySet<string>;
  readonly pids: readonly number[];
  /** When it was looked at, in clock ticks since the machine was started. */
  readonly takenAt: number;
}

/** proc(5): clock ticks per second. */
const TICKS = 100;

const KINDS = ["net", "mnt", "pid", "user", "uts", "ipc"];

/** Everything below the process that started the mesh of this name, the process itself included. */
export const tracesOf = (name: string): KernelTraces => {
  const roots = allPids().filter((pid) => readProc(pid, "environ").split("\0").includes(`HEDDLE_NAME=${name}`));
  const pids = withDescendants(roots);
  const own = new Set(namespacesOf(process.pid));
  const namespaces = pids.flatMap(namespacesOf).filter((namespace) => !own.has(namespace));
  const takenAt = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * TICKS;
  return { pids, takenAt, processes: new Set(pids.map(identityOf)), namespaces: new Set(namespaces) };
};

/**
 * What of it is still there: processes that live, namespaces that somebody lives in or that are mounted somewhere. A process
 * that began later is none of it: the numbers of namespaces are used again.
 */
export const remainingTraces = ({ processes, namespaces, takenAt }: KernelTraces): readonly string[] => {
  const older = allPids().filter((pid) => startOf(pid) <= takenAt);
  const mounted = readProc(process.pid, "mountinfo");
  return [
    ...older
      .filter((pid) => processes.has(identityOf(pid)) && !isZombie(pid))
      .map((pid) => `process ${pid}: ${commandLineOf(pid)}`),
    ...older.flatMap((pid) =>
      namespacesOf(pid)
        .filter((namespace) => namespaces.has(namespace))
        .map((namespace) => `process ${pid} in ${namespace}`),
    ),
    ...[...namespaces].filter((namespace) => mounted.includes(namespace)).map((namespace) => `mounted ${namespace}`),
  ];
};

/** The words of a process's command line; empty if it is gone. */
export const commandLineOf = (pid: number): string => readProc(pid, "cmdline").split("\0").join(" ").trim();

/** Zombies among the descendants of the mesh. */
export const zombiesOf = ({ pids }: KernelTraces): readonly number[] => pids.filter(isZombie);

const withDescendants = (roots: readonly number[]): readonly number[] => {
  const children = Map.groupBy(allPids(), (pid) => Number(statOf(pid)[1]));
  const found = new Set<number>();
  const visit = (pid: number): void => {
    if (found.has(pid)) return;
    found.add(pid);
    for (const child of children.get(pid) ?? []) visit(child);
  };
  for (const root of roots) visit(root);
  return [...found];
};

const allPids = (): readonly number[] =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0);

const identityOf = (pid: number): string => `${pid}:${startOf(pid)}`;

const startOf = (pid: number): number => Number(statOf(pid)[19]);

const isZombie = (pid: number): boolean => statOf(pid)[0] === "Z";

/** The fields of /proc/PID/stat from the third on, the state of the process. */
const statOf = (pid: number): readonly string[] => readProc(pid, "stat").split(") ").at(-1)?.split(" ") ?? [];

const namespacesOf = (pid: number): readonly string[] =>
  KINDS.flatMap((kind) => {
    try {
      return [readlinkSync(`/proc/${pid}/ns/${kind}`)];
    } catch {
      return [];
    }
  });

const readProc = (pid: number, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
};
