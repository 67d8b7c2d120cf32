import type { ExplainedSession } from "#mesh/admin/request-explanation.ts";
import type { ForwardDecision } from "#mesh/routes/decide-http-route.ts";
import type { Field } from "#mesh/routes/field.ts";
import { serviceName } from "#mesh/service.ts";
import { sharedGet } from "#mesh/shared-map.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import { formatSocketAddress } from "#mesh/socket-address.ts";
import type { Reachable } from "../worker/connect-destination.ts";
import { sessionFor } from "../worker/http/session.ts";

/** The session of a request, if the rule that it follows or a policy of its backend wants one. */
export const explainSession = (
  snapshot: Snapshot,
  fields: readonly Field[],
  destination: Extract<Reachable, { kind: "service" }>,
  decision: ForwardDecision | undefined,
): ExplainedSession | undefined => {
  const session = sessionFor(snapshot, fields, destination, decision);
  const persistence =
    decision?.sessionPersistence ??
    sharedGet(snapshot.backendPolicies, serviceName(destination.service))?.sessionPersistence;
  if (!session || !persistence) return undefined;
  const endpoint = session.endpoint(destination);
  return { persistence, endpoint: endpoint && formatSocketAddress(endpoint.address) };
};
