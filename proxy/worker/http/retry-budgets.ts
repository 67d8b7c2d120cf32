import type { ForwardDecision } from "#mesh/routes/decide-http-route.ts";
import { RetryBudget } from "#mesh/routes/retry-budget.ts";
import type { RetryConstraint } from "#mesh/routes/route.ts";
import { serviceName } from "#mesh/service.ts";
import { sharedGet } from "#mesh/shared-map.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import type { Reachable } from "../connect-destination.ts";
import type { Pipeline } from "../pipeline.ts";

/** A policy's record stays the same value until the policy changes: then it is counted anew. */
const budgets = new WeakMap<RetryConstraint, RetryBudget>();

/** How many retries the Service that a request goes to may get; undefined: as many as its route allows. */
export const retryBudget = (
  { vitals }: Pipeline,
  snapshot: Snapshot,
  destination: Reachable,
  decision: ForwardDecision | undefined,
): RetryBudget | undefined => {
  if (destination.kind !== "service" || decision?.retry === undefined) return undefined;
  const constraint = sharedGet(snapshot.backendPolicies, serviceName(destination.service))?.retryConstraint;
  return constraint && budgets.getOrInsertComputed(constraint, () => new RetryBudget(constraint, vitals.now));
};
