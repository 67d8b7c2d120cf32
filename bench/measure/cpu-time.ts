import { readdirSync, readFileSync } from "node:fs";
import { CliFailure } from "#cli/failure.ts";
import type { ProxyProcess } from "../ways/way.ts";

/** How much CPU time processes had used at one moment, in nanoseconds. */
export interface CpuReading {
  readonly used: ReadonlyMap<ProxyProcess, number>;
}

export const readCpu = (processes: readonly ProxyProcess[]): CpuReading => ({
  used: new Map(processes.map((process) => [process, cpuNanoseconds(process)])),
});

/** Microseconds that the same processes have used since. @throws CliFailure if one of them is gone: the sum would be too small */
export const cpuSinceUs = ({ used }: CpuReading): number => {
  let nanoseconds = 0;
  for (const [process, before] of used) nanoseconds += cpuNanoseconds(process) - before;
  return nanoseconds / 1000;
};

/** The first number of schedstat is the time on the CPU, to the nanosecond; stat counts in ticks of 10 ms. */
const cpuNanoseconds = ({ pid, label }: ProxyProcess): number => {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.reduce((sum, thread) => sum + threadNanoseconds(pid, thread), 0);
  } catch {
    throw new CliFailure(`${label} (pid ${pid}) ended while it was measured`);
  }
};

const threadNanoseconds = (pid: number, thread: string): number =>
  Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
