import type { RequestExplanation } from "#mesh/admin/request-explanation.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { sharedGet } from "#mesh/shared-map.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import { podWorkloadUid } from "#mesh/workload.ts";
import { explainRequest } from "../explain/explain-request.ts";
import { readRequestQuestion } from "../explain/request-question.ts";
import { SnapshotFeed } from "../worker/snapshot-feed.ts";
import type { Agent } from "./agent.ts";

/**
 * Explains a request by what this node decides by.
 * @param question a RequestQuestion, from anybody who may open the admin socket
 * @returns why it cannot be explained otherwise
 */
export const explainForNode = (agent: Agent, question: unknown): Result<RequestExplanation, string> => {
  const { node, cluster } = agent.settings;
  const asked = readRequestQuestion(question);
  if (!asked.ok) return asked;
  if (!agent.store.isSynced) return err(`${node} has not heard everything from the control plane yet`);
  const { namespace, name } = asked.value.from;
  const snapshot = snapshotOf(agent);
  const source = sharedGet(snapshot.workloads, podWorkloadUid(cluster, namespace, name));
  if (!source) return err(`${node} knows no pod ${namespace}/${name}, or it has no address`);
  const { version } = agent.controlPlane;
  const config = { version, generation: agent.store.generation, enforced: agent.enforcedGeneration };
  return ok({ node, config, ...explainRequest(snapshot, source, asked.value) });
};

/** What a worker that started now would decide by. Made for the one question: nobody asks often. */
const snapshotOf = (agent: Agent): Snapshot => {
  const feed = new SnapshotFeed(() => {});
  for (const order of agent.store.snapshotOrders()) feed.take(order);
  return feed.snapshot;
};
