import type { AgentStatus } from "#mesh/admin/agent-status.ts";
import type { NodeStatus } from "#mesh/admin/control-plane-status.ts";
import type { NodeReport, PodReport, RuntimeStatus } from "#local/status.ts";

export const WEB_IDENTITY = "spiffe://cluster.local/ns/shop/sa/web";
/** When the examples are looked at. */
export const NOW = Date.parse("2026-01-01T12:00:00Z");

export const examplePodReport = (changes: Partial<PodReport> = {}): PodReport => ({
  namespace: "shop",
  name: "web-0",
  uid: "u1",
  node: "node-1",
  serviceAccount: "web",
  hostNetwork: false,
  addresses: ["10.244.1.10" as PodReport["addresses"][number]],
  phase: "Running",
  ready: true,
  step: "rest",
  enrol: true,
  enrolled: true,
  containers: [{ name: "app", init: false, restarts: 0, state: { kind: "running", pid: 9, since: "" } }],
  objections: [],
  problem: undefined,
  ...changes,
});

export const exampleAgent = (changes: Partial<AgentStatus> = {}): AgentStatus => ({
  node: "node-1",
  ready: true,
  notReady: [],
  isolation: "full",
  controlPlane: { address: "10.95.0.1:15012", connected: true, since: "", lastError: undefined },
  config: { version: "v7", generation: 3, enforced: 3, resources: {} },
  workers: [],
  pods: [
    {
      uid: "u1",
      namespace: "shop",
      name: "web-0",
      serviceAccount: "web",
      addresses: ["10.244.1.10"],
      worker: 0,
      capture: "captured",
      captureProblem: undefined,
      identity: WEB_IDENTITY,
      riskyCapabilities: [],
    },
  ],
  certificates: [
    {
      identity: WEB_IDENTITY,
      worker: 0,
      state: "valid",
      serial: "ab",
      notBefore: "2026-01-01T11:00:00Z",
      notAfter: "2026-01-02T11:00:00Z",
      renewAt: "2026-01-01T23:00:00Z",
      lastError: undefined,
    },
  ],
  ...changes,
});

export const exampleLink = (changes: Partial<NodeStatus> = {}): NodeStatus => ({
  node: "node-1",
  connected: true,
  since: "",
  address: "10.95.0.11:4711",
  wanted: "v7",
  held: "v7",
  types: [],
  ...changes,
});

export const exampleNode = (changes: Partial<NodeReport> = {}): NodeReport => ({
  name: "node-1",
  addresses: [],
  supervisor: { kind: "running", pid: 5, since: "", restarts: 0 },
  enrolment: true,
  isSilent: false,
  draining: undefined,
  agent: exampleAgent(),
  agentProblem: undefined,
  link: exampleLink(),
  ...changes,
});

/** A mesh in which all is well. */
export const exampleStatus = (changes: Partial<RuntimeStatus> = {}): RuntimeStatus => ({
  name: "default",
  instance: "i1",
  phase: "running",
  objects: "/srv/objects",
  state: "/var/lib/heddle/default",
  startedAt: "2026-01-01T11:00:00Z",
  trustDomain: "cluster.local",
  isolation: { kind: "full" },
  ipv6: true,
  controlPlane: {
    process: { kind: "running", pid: 4, since: "", restarts: 0 },
    problem: undefined,
    inventory: true,
    declared: 7,
    objects: [],
    statusFolder: { path: "/var/lib/heddle/default/status", problem: undefined },
    authority: undefined,
  },
  nodes: [exampleNode()],
  pods: [examplePodReport()],
  problems: [],
  ...changes,
});
