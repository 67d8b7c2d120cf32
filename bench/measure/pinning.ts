import { readFileSync } from "node:fs";
import { runCommand } from "#local/processes/run-command.ts";

/** Which core belongs to whom. */
export type Cores =
  | { readonly kind: "split"; readonly load: number; readonly proxies: number }
  /** There is only one. */
  | { readonly kind: "shared" };

/** The first and the last core on which this process may run: on most machines they are no threads of one core. */
export const chooseCores = (allowed: readonly number[]): Cores => {
  const [load] = allowed;
  const proxies = allowed.at(-1);
  if (load === undefined || proxies === undefined || load === proxies) return { kind: "shared" };
  return { kind: "split", load, proxies };
};

/** Reads a list of cores, as in `0-3,8` (cpuset(7)). */
export const parseCoreList = (text: string): readonly number[] =>
  text
    .trim()
    .split(",")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [first = Number.NaN, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });

export const allowedCores = (): readonly number[] =>
  parseCoreList(/^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "");

/** Keeps processes, with all threads they have and all children they will have, on one core. @returns the pids that refused */
export const pin = async (pids: readonly number[], core: number): Promise<readonly number[]> => {
  const outcomes = await Promise.all(
    pids.map(async (pid) => ({
      pid,
      result: await runCommand(["taskset", "--all-tasks", "--pid", "--cpu-list", String(core), String(pid)]),
    })),
  );
  return outcomes.filter(({ result }) => !result.ok).map(({ pid }) => pid);
};
