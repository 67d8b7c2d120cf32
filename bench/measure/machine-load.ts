import { readFileSync } from "node:fs";

/** Time that the cores of this machine have spent since it started, in ticks. */
export interface MachineTicks {
  readonly busy: number;
  readonly all: number;
}

/** Reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)). */
export const parseMachineTicks = (text: string): MachineTicks => {
  const [, ...fields] = (text.split("\n", 1)[0] ?? "").trim().split(/\s+/);
  const ticks = fields.slice(0, 8).map(Number);
  const all = ticks.reduce((sum, each) => sum + each, 0);
  const [, , , idle = 0, waiting = 0] = ticks;
  return { busy: all - idle - waiting, all };
};

export const machineTicks = (): MachineTicks => parseMachineTicks(readFileSync("/proc/stat", "utf8"));

/** How much of all cores was busy in between, from 0 to 1. */
export const busyShare = (from: MachineTicks, to: MachineTicks): number =>
  to.all === from.all ? 0 : (to.busy - from.busy) / (to.all - from.all);
