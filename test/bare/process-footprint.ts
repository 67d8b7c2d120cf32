import type { BareNode } from "./bare-node.ts";

export type NodeProgram = "control-plane" | "proxy/supervisor" | "proxy/agent" | "proxy/worker";

/** The process ids, within the sandbox, of what a bare node runs. @throws Error if there is none */
export const pidOf = async (node: BareNode, program: NodeProgram): Promise<number> => {
  const [pid] = await node.sandbox.pids(`${program}/main.ts`);
  if (pid === undefined) throw new Error(`no ${program} runs: ${node.supervisor?.output}`);
  return pid;
};

/** How many descriptors a process has. */
export const openDescriptors = async (node: BareNode, pid: number): Promise<number> =>
  (await node.sandbox.run(["ls", `/proc/${pid}/fd`])).trim().split("\n").length;

/** TCP sockets that are open in a namespace: whoever's they are, those that listen too. */
export const openSockets = async (node: BareNode, netns: string): Promise<number> => {
  const script = "cat /proc/net/sockstat /proc/net/sockstat6 2>/dev/null || true";
  const text = await node.sandbox.run(["sh", "-c", script], { netns });
  return Array.from(text.matchAll(/^TCP6?: inuse ([0-9]+)/gm), ([, count]) => Number(count)).reduce((a, b) => a + b, 0);
};

/** What a process without descriptors has cost, and how it gets some again. */
export interface Shortage {
  /** How much of the time of one processor it has taken since it has none, 0 to 1. */
  readonly busy: () => Promise<number>;
  readonly end: () => Promise<void>;
}

/** Ticks of times in /proc a second: sysconf(_SC_CLK_TCK), 100 on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;

/**
 * Takes from a process all descriptors that it has not yet, but for `left`: its limit is lowered while it runs.
 * @param whileNone called while not even the descriptor can be used that libuv keeps for this
 */
export const exhaustDescriptors = async (
  node: BareNode,
  pid: number,
  left = 0,
  whileNone?: () => Promise<void>,
): Promise<Shortage> => {
  const limit = async (soft: number): Promise<string> =>
    node.sandbox.run([...(await sameUser(node, pid)), "prlimit", "--pid", String(pid), `--nofile=${soft}:`]);
  const limits = await node.sandbox.run(["grep", "Max open files", `/proc/${pid}/limits`]);
  const before = Number(/[0-9]+/.exec(limits)?.[0]);
  const used = new Set((await node.sandbox.run(["ls", `/proc/${pid}/fd`])).trim().split("\n").map(Number));
  const free = Array.from({ length: used.size + left + 1 }, (_, descriptor) => descriptor).filter((n) => !used.has(n));
  if (whileNone) {
    await limit(4);
    await whileNone();
  }
  await limit(free[left] ?? before);
  const [since, ticks] = [performance.now(), await processorTicks(node, pid)];
  return {
    busy: async () => {
      const seconds = ((await processorTicks(node, pid)) - ticks) / TICKS_PER_SECOND;
      return seconds / ((performance.now() - since) / 1_000);
    },
    end: async () => void (await limit(before)),
  };
};

/** Root of a container may lack CAP_SYS_RESOURCE: limits of another user are then set as that user. */
const sameUser = async (node: BareNode, pid: number): Promise<readonly string[]> => {
  const owner = (await node.sandbox.run(["grep", "^Uid:", `/proc/${pid}/status`])).split(/\s+/)[1] ?? "0";
  return owner === "0" ? [] : ["setpriv", "--reuid", owner, "--regid", owner, "--clear-groups", "--"];
};

/** Of all its threads, in user and in kernel mode: fields 14 and 15 of proc_pid_stat(5). */
const processorTicks = async (node: BareNode, pid: number): Promise<number> => {
  const stat = await node.sandbox.run(["cat", `/proc/${pid}/stat`]);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
};
