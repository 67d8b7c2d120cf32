import { closeSync, openSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import type { AgentStatus, PodStatus } from "#mesh/admin/agent-status.ts";

/**
 * Stands in for a node's supervisor and agent where only the runtime is tested. It captures nothing, but holds the network
 * namespace of every enrolled pod open, as the real one does. It refuses pods called `refused`.
 */
const { HEDDLE_NODE = "", HEDDLE_RUN_DIR = "", HEDDLE_AGENT_SOCKET = "" } = process.env;

interface Request {
  readonly kind: "enrol" | "drain" | "withdraw" | "complete" | "status";
  readonly uid?: string;
  readonly pod?: Pick<PodStatus, "uid" | "namespace" | "name" | "serviceAccount" | "addresses"> & {
    readonly netns: string;
    readonly capabilities: readonly string[];
  };
}

const held = new Map<string, number>();
const pods = new Map<string, PodStatus>();

const reply = ({ kind, uid = "", pod }: Request): object => {
  if (kind === "status") return { kind, pid: process.pid };
  console.log(JSON.stringify({ kind, uid: pod?.uid ?? uid, pod: pod?.name }));
  if (kind === "complete") return { kind: "completed" };
  if (kind === "drain") return { kind: "draining", uid };
  if (kind === "withdraw" || pod === undefined) {
    const fd = held.get(uid);
    if (fd !== undefined) closeSync(fd);
    held.delete(uid);
    pods.delete(uid);
    return { kind: "withdrawn", uid };
  }
  if (pod.name === "refused") return { kind: "refused", uid: pod.uid, reason: "this stand-in refuses it" };
  if (!held.has(pod.uid)) held.set(pod.uid, openSync(pod.netns, "r"));
  pods.set(pod.uid, {
    ...pod,
    worker: 0,
    capture: "captured",
    captureProblem: undefined,
    identity: `spiffe://cluster.local/ns/${pod.namespace}/sa/${pod.serviceAccount}`,
    riskyCapabilities: [],
  });
  return { kind: "enrolled", uid: pod.uid };
};

const status = (): AgentStatus => ({
  node: HEDDLE_NODE,
  ready: true,
  notReady: [],
  isolation: "full",
  controlPlane: { address: "", connected: true, since: new Date().toISOString(), lastError: undefined },
  config: { version: "", generation: 1, enforced: 1, resources: {} },
  workers: [],
  pods: [...pods.values()],
  certificates: [],
});

const enrolSocket = `${HEDDLE_RUN_DIR}/enrol.sock`;
rmSync(enrolSocket, { force: true });
rmSync(HEDDLE_AGENT_SOCKET, { force: true });
createServer((connection) => {
  createInterface(connection).on("line", (line) => {
    connection.write(`${JSON.stringify({ version: 1, ...reply(JSON.parse(line) as Request) })}\n`);
  });
}).listen(enrolSocket);
createHttpServer((_, response) => response.end(JSON.stringify(status()))).listen(HEDDLE_AGENT_SOCKET);
