import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { err, ok, type Result } from "#mesh/result.ts";
import type { LocalMesh } from "../local-mesh.ts";

/** Which process gets which signal: for tests of failures, and for showing them. */
export interface SignalRequest {
  /** Not needed for the control plane. */
  readonly node?: string;
  readonly role: "supervisor" | "agent" | "worker" | "control-plane";
  /** Which worker; 0 if absent. */
  readonly index?: number;
  readonly signal: NodeJS.Signals;
}

/** Sends a signal. @returns the pid that got it */
export const sendSignal = async (mesh: LocalMesh, wanted: SignalRequest): Promise<Result<number, string>> => {
  if (!(wanted.signal in constants.signals)) return err(`${wanted.signal} is no signal; write it as in SIGKILL`);
  const pid = await findProcess(mesh, wanted);
  if (!pid.ok) return pid;
  process.kill(pid.value, wanted.signal);
  return pid;
};

const findProcess = async (mesh: LocalMesh, { node: name, role, index = 0 }: SignalRequest) => {
  if (role === "control-plane") return known(mesh.controlPlane.process.pid, "the control plane");
  const node = mesh.nodes.find((candidate) => candidate.name === name);
  if (node === undefined) return err(`there is no node ${String(name)}`);
  const supervisor = known(node.supervisor.pid, `the supervisor of ${node.name}`);
  if (role === "supervisor" || !supervisor.ok) return supervisor;
  if (role === "agent") return known(descendant(supervisor.value, "proxy/agent/"), `the agent of ${node.name}`);
  if (role !== "worker") return err(`${String(role)} is no role: supervisor, agent, worker or control-plane`);
  const { agent } = await node.report([]);
  return known(agent?.workers.find((worker) => worker.index === index)?.pid, `worker ${index} of ${node.name}`);
};

const known = (pid: number | undefined, who: string): Result<number, string> =>
  pid === undefined ? err(`${who} is not running, or not known to run`) : ok(pid);

/** A process below `ancestor` with this text in its command line. */
const descendant = (ancestor: number, text: string): number | undefined =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 0)
    .find((pid) => commandLine(pid).includes(text) && isBelow(pid, ancestor));

const isBelow = (pid: number, ancestor: number): boolean => {
  for (let current = pid; current > 1; current = parentOf(current)) if (current === ancestor) return true;
  return false;
};

const commandLine = (pid: number): string => readProc(pid, "cmdline");

/** The fourth field of /proc/PID/stat; the second may itself hold spaces and brackets (proc(5)). */
const parentOf = (pid: number): number => Number(readProc(pid, "stat").split(") ").at(-1)?.split(" ")[1] ?? 0);

const readProc = (pid: number, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
};
