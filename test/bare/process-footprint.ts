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
