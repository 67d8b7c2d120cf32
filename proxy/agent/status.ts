import type { AgentStatus, PodStatus } from "#mesh/admin/agent-status.ts";
import type { Agent } from "./agent.ts";
import type { NodePod } from "./node-pods.ts";

/** What the admin API says of this node. */
export const agentStatus = (agent: Agent): AgentStatus => {
  const { settings, controlPlane, store } = agent;
  const notReady = agent.notReady;
  return {
    node: settings.node,
    ready: notReady.length === 0,
    notReady,
    isolation: settings.isolation,
    controlPlane: {
      address: settings.controlPlane.address,
      connected: controlPlane.isConnected,
      since: new Date(controlPlane.since).toISOString(),
      lastError: controlPlane.lastError,
    },
    config: {
      version: controlPlane.version,
      generation: store.generation,
      enforced: agent.enforcedGeneration,
      resources: store.counts,
    },
    workers: agent.workers.map(({ life, appliedGeneration }) => ({
      index: life.index,
      pid: life.pid,
      startId: life.startId,
      appliedGeneration,
      restarts: life.restarts,
      pods: agent.pods.all.filter(({ worker }) => worker === life.index).length,
      openConnections: agent.counters.openConnections(life.startId),
    })),
    pods: agent.pods.all.map((pod) => podStatus(agent, pod)),
    certificates: agent.certificates.status,
  };
};

const podStatus = (agent: Agent, { slot, worker, pod, identity, captureProblem }: NodePod): PodStatus => ({
  uid: pod.uid,
  namespace: pod.namespace,
  name: pod.name,
  serviceAccount: pod.serviceAccount,
  addresses: pod.addresses,
  worker,
  capture: captureProblem === undefined ? (agent.isServed(slot) ? "captured" : "starting") : "lost",
  captureProblem,
  identity,
  riskyCapabilities: pod.riskyCapabilities,
});
