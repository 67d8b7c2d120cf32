import type { PolicyAncestorStatus, RouteCondition } from "#mesh/admin/control-plane-status.ts";
import type { BackendTrafficPolicyObject, PolicyTarget } from "#mesh/objects/backend-traffic-policy.ts";
import { isService } from "#mesh/objects/gateway-reference.ts";
import { byAge } from "./creation-time.ts";
import type { ObjectTables } from "./object-tables.ts";
import { targetKey } from "./policy-targets.ts";
import { CONTROLLER_NAME } from "./route-status.ts";
import { isInMesh } from "./service-model.ts";

/**
 * The one of several policies for a Service that counts: the oldest that can be applied (GEP-713).
 * @param service key: `namespace/name`
 */
export const trafficPolicyOf = (tables: ObjectTables, service: string): BackendTrafficPolicyObject | undefined => {
  const object = tables.services.get(service);
  if (!object || !isInMesh(object)) return undefined;
  const policies = tables.backendTrafficPolicies.where("target", service);
  return policies.filter(({ unsupported }) => unsupported.length === 0).toSorted(byAge)[0];
};

/** What became of a policy: an entry for each Service that it is for. */
export const trafficPolicyStatus = (
  tables: ObjectTables,
  policy: BackendTrafficPolicyObject,
): readonly PolicyAncestorStatus[] =>
  policy.targets.filter(isService).map((target) => ({
    ancestorRef: { ...target, namespace: policy.metadata.namespace, sectionName: undefined, port: undefined },
    controllerName: CONTROLLER_NAME,
    conditions: [{ ...acceptance(tables, policy, target), observedGeneration: policy.metadata.generation }],
  }));

type ConditionBody = Omit<RouteCondition, "observedGeneration">;

const acceptance = (tables: ObjectTables, policy: BackendTrafficPolicyObject, target: PolicyTarget): ConditionBody => {
  const [problem] = policy.unsupported;
  if (problem) return refused("Invalid", `${problem.path}: ${problem.message}`);
  const key = targetKey(policy, target);
  const missing = missingTarget(tables, key);
  if (missing) return missing;
  const winner = trafficPolicyOf(tables, key);
  if (winner && winner !== policy) {
    return refused("Conflicted", `XBackendTrafficPolicy ${winner.metadata.name} is older, or first by name`);
  }
  return { type: "Accepted", status: "True", reason: "Accepted", message: "the policy is accepted" };
};

/** Why a policy has no effect at a Service that the mesh does not serve. @param service key: `namespace/name` */
export const missingTarget = (tables: ObjectTables, service: string): ConditionBody | undefined => {
  const object = tables.services.get(service);
  if (!object) return refused("TargetNotFound", `Service ${service} is not there`);
  if (isInMesh(object)) return undefined;
  return refused("Invalid", `Service ${service} is an ExternalName, which the mesh does not serve`);
};

/** A policy, or what it says of one Service, has no effect. */
export const refused = (reason: string, message: string): ConditionBody => ({
  type: "Accepted",
  status: "False",
  reason,
  message,
});
