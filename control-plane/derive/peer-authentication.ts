import type { PeerAuthenticationObject } from "#mesh/objects/peer-authentication.ts";
import { byAge } from "./creation-time.ts";
import { type Authorization, type Clause, type Match, policyName } from "#mesh/policies/authorization.ts";

/** What holds after inheritance. DISABLE has become PERMISSIVE: a captured pod takes tunnels and plaintext alike. */
export type EffectiveMode = "STRICT" | "PERMISSIVE";

/** What a workload's callers must do, and the policies that say so. */
export interface WorkloadAuthentication {
  readonly mode: EffectiveMode;
  /** `namespace/name`. */
  readonly policies: readonly string[];
}

/** Underscores cannot stand in an object's name, so that nobody's own policy is called like these. */
const STATIC_STRICT = "istio_converted_static_strict";
const CONVERTED_PREFIX = "converted_peer_authentication_";

const withoutPrincipal: Match = { principals: { include: [], exclude: [{ kind: "presence" }] } };

/** "Nobody without an identity": what plain STRICT means, one for the whole mesh. */
export const staticStrictPolicy = (rootNamespace: string): Authorization => ({
  namespace: rootNamespace,
  name: STATIC_STRICT,
  scope: "selector",
  action: "deny",
  dryRun: false,
  rules: [[[withoutPrincipal]]],
});

/**
 * The one of several policies for the same thing that counts: the oldest. Those that no API server has stored are the newest,
 * in the order of their names.
 */
export const oldestPolicy = (policies: readonly PeerAuthenticationObject[]): PeerAuthenticationObject | undefined =>
  policies.toSorted(byAge)[0];

/** The name of the policy that a PeerAuthentication with port exceptions becomes. */
export const convertedPolicyName = (namespace: string, name: string): string =>
  `${namespace}/${CONVERTED_PREFIX}${name}`;

/** The mode that workloads inherit: what the namespace's policy says, else the mesh's, else PERMISSIVE. */
export const inheritedMode = (
  mesh: PeerAuthenticationObject | undefined,
  namespace: PeerAuthenticationObject | undefined,
): EffectiveMode => ownMode(namespace, ownMode(mesh, "PERMISSIVE"));

/** What follows for a workload from the policy that selects it, if any, and from what it inherits. */
export const workloadAuthentication = (
  policy: PeerAuthenticationObject | undefined,
  inherited: EffectiveMode,
  rootNamespace: string,
): WorkloadAuthentication => {
  const mode = ownMode(policy, inherited);
  const converted = policy && convertedPolicy(policy, inherited);
  if (converted) return { mode, policies: [policyName(converted)] };
  return { mode, policies: mode === "STRICT" ? [`${rootNamespace}/${STATIC_STRICT}`] : [] };
};

/**
 * The policy that a PeerAuthentication with port exceptions becomes; undefined where no port differs from the rest, so that
 * nothing or the static STRICT policy says the same. It stands instead of the static one: DENY policies add up, and an
 * exception to one cannot be made by another.
 */
export const convertedPolicy = (
  policy: PeerAuthenticationObject,
  inherited: EffectiveMode,
): Authorization | undefined => {
  const mode = ownMode(policy, inherited);
  const ports = differingPorts(policy, mode);
  if (ports.length === 0) return undefined;
  return {
    namespace: policy.metadata.namespace,
    name: CONVERTED_PREFIX + policy.metadata.name,
    scope: "selector",
    action: "deny",
    dryRun: false,
    rules: mode === "STRICT" ? [strictExcept(ports)] : ports.map((port) => [[strictOn(port)]]),
  };
};

const ownMode = (policy: PeerAuthenticationObject | undefined, inherited: EffectiveMode): EffectiveMode => {
  if (!policy || policy.mode === "UNSET") return inherited;
  return policy.mode === "STRICT" ? "STRICT" : "PERMISSIVE";
};

const differingPorts = ({ portModes }: PeerAuthenticationObject, mode: EffectiveMode): readonly number[] =>
  [...portModes]
    .filter(([, portMode]) => portMode !== "UNSET" && (portMode === "STRICT") !== (mode === "STRICT"))
    .map(([port]) => port)
    .sort((a, b) => a - b);

/** No identity, and none of the ports. */
const strictExcept = (ports: readonly number[]): readonly Clause[] => [
  [withoutPrincipal],
  ...ports.map((port): Clause => [{ destinationPorts: { include: [], exclude: [port] } }]),
];

/** No identity on this port. */
const strictOn = (port: number): Match => ({
  ...withoutPrincipal,
  destinationPorts: { include: [port], exclude: [] },
});
