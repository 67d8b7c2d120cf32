import { RetryBudget } from "#mesh/routes/retry-budget.ts";
import type { RetryConstraint } from "#mesh/routes/route.ts";
import { backendPolicyOf, type Snapshot } from "#mesh/snapshot.ts";
import type { Reachable } from "../connect-destination.ts";
import type { Pipeline } from "../pipeline.ts";

/**
 * One for all pods of the worker: what is bounded is what a Service gets, whoever calls it. Each node counts its own. A policy's
 * record stays the same value until the policy changes: then it is counted anew.
 */
const budgets = new WeakMap<RetryConstraint, RetryBudget>();

/**
 * How many retries the Service that a request goes to may get; undefined: as many as its routes allow. Requests that no route
 * would send again count as well: the retries are a share of all (GEP-3388).
 */
export const retryBudget = (
  { vitals }: Pipeline,
  snapshot: Snapshot,
  destination: Reachable,
): RetryBudget | undefined => {
  if (destination.kind !== "service") return undefined;
  const constraint = backendPolicyOf(snapshot, destination.service)?.retryConstraint;
  return constraint && budgets.getOrInsertComputed(constraint, () => new RetryBudget(constraint, vitals.now));
};
