import type { ExplainedSession } from "#mesh/admin/request-explanation.ts";
import { type BackendTls, tlsOf } from "#mesh/routes/backend-policy.ts";
import type { ForwardDecision } from "#mesh/routes/decide-http-route.ts";
import type { Field } from "#mesh/routes/field.ts";
import { backendPolicyOf, type Snapshot } from "#mesh/snapshot.ts";
import { formatSocketAddress } from "#mesh/socket-address.ts";
import type { Reachable } from "../worker/connect-destination.ts";
import { sessionFor } from "../worker/http/session.ts";

/** What policies say of requests of HTTP to a Service, and of nothing else that is sent there. */
export interface HttpWay {
  readonly session: ExplainedSession | undefined;
  /** For endpoints outside the mesh; undefined: in clear. */
  readonly tls: BackendTls | undefined;
}

export const httpWay = (
  snapshot: Snapshot,
  fields: readonly Field[],
  destination: Extract<Reachable, { kind: "service" }>,
  decision: ForwardDecision | undefined,
): HttpWay => {
  const policy = backendPolicyOf(snapshot, destination.service);
  const session = sessionFor(snapshot, fields, destination, decision);
  const persistence = decision?.sessionPersistence ?? policy?.sessionPersistence;
  const endpoint = session?.endpoint(destination);
  return {
    session: session && persistence && { persistence, endpoint: endpoint && formatSocketAddress(endpoint.address) },
    tls: tlsOf(policy, destination.port.port),
  };
};
