import { authorize, type ConnectionFacts, type Permit } from "#mesh/policies/authorization.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { policiesOf, type Snapshot } from "#mesh/snapshot.ts";
import type { Workload } from "#mesh/workload.ts";

/** Why a connection to a pod is not allowed. */
export interface Denial {
  readonly reason: "policy-denied" | "not-allowed" | "plaintext-refused" | "policy-missing";
  /** The policy that stood in the way, or those that would have had to allow it. */
  readonly policy: string;
  readonly message: string;
}

/** Names that the control plane gives to the policies it makes of PeerAuthentication: mutual TLS is required. */
const STRICT_POLICY = /\/(?:istio_converted_static_strict$|converted_peer_authentication_)/;

/**
 * Whether a connection may reach a pod. A policy that the pod names and that never came is a refusal: nobody knows what it
 * would have said.
 */
export const guardInbound = (
  snapshot: Snapshot,
  workload: Workload,
  facts: ConnectionFacts,
): Result<Permit, Denial> => {
  const { policies, missing } = policiesOf(snapshot, workload);
  if (missing.length > 0) {
    return denial("policy-missing", missing.join(", "), `the policies ${missing.join(", ")} have not arrived`);
  }
  const verdict = authorize(policies, facts);
  if (verdict.kind === "allowed") return ok(verdict.permit);
  if (verdict.kind === "not-allowed") {
    return denial("not-allowed", verdict.policies.join(", "), `none of ${verdict.policies.join(", ")} allows it`);
  }
  if (facts.identity === undefined && STRICT_POLICY.test(verdict.policy)) {
    return denial("plaintext-refused", verdict.policy, `plaintext, but ${verdict.policy} requires mutual TLS`);
  }
  return denial("policy-denied", verdict.policy, `${verdict.policy} denies it`);
};

/** What a pod may call. Nothing restricts it yet: there is no kind of object that would. */
export const guardOutbound = (facts: ConnectionFacts): Permit => {
  const verdict = authorize([], facts);
  if (verdict.kind !== "allowed") throw new Error("no policy denied a connection");
  return verdict.permit;
};

const denial = (reason: Denial["reason"], policy: string, message: string): Result<never, Denial> =>
  err({ reason, policy, message });
