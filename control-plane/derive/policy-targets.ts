import { isService } from "#mesh/objects/gateway-reference.ts";
import type { PolicyTarget } from "#mesh/objects/backend-traffic-policy.ts";
import type { Metadata } from "#mesh/objects/metadata.ts";

/** A policy for backends of its own namespace. */
export interface TargetingPolicy {
  readonly metadata: Pick<Metadata, "namespace">;
  readonly targets: readonly PolicyTarget[];
}

/** Keys (`namespace/name`) of the Services that a policy is for; targets of other kinds are somebody else's. */
export const targetedServices = (policy: TargetingPolicy): readonly string[] => [
  ...new Set(policy.targets.filter(isService).map((target) => targetKey(policy, target))),
];

/** Key of the Service that a target names. */
export const targetKey = ({ metadata }: TargetingPolicy, { name }: PolicyTarget): string =>
  `${metadata.namespace}/${name}`;
