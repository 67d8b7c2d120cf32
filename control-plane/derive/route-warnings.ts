import type { PolicyAncestorStatus, RouteCondition, RouteParentStatus } from "#mesh/admin/control-plane-status.ts";
import type { BackendTlsPolicyObject } from "#mesh/objects/backend-tls-policy.ts";
import type { BackendTrafficPolicyObject } from "#mesh/objects/backend-traffic-policy.ts";
import { isService } from "#mesh/objects/gateway-reference.ts";
import { referencedService, type RouteObject } from "./route-references.ts";

/** What a person should know about a route that is in order by itself. */
export const routeWarnings = (route: RouteObject, parents: readonly RouteParentStatus[]): readonly string[] => [
  ...(route.hostnames.length > 0 ? ["hostnames have no meaning for a Service as parent (GEP-1294)"] : []),
  ...(parents.length === 0 ? ["names no Service as parent: the mesh has nothing to do with it"] : []),
  ...route.rules.flatMap(({ index, ignored }) =>
    ignored.map((field) => `spec.rules[${index}].${field} is ignored: it is not supported yet`),
  ),
  ...parents.flatMap(({ parentRef, conditions }) =>
    conditions
      .filter(isBad)
      .map(
        ({ type, status, reason, message }) =>
          `${type}=${status} (${reason}) at Service ${referencedService(route, parentRef)}: ${message}`,
      ),
  ),
];

/** The same of a policy for backends. */
export const backendPolicyWarnings = (
  { metadata, targets }: BackendTrafficPolicyObject | BackendTlsPolicyObject,
  ancestors: readonly PolicyAncestorStatus[],
): readonly string[] => [
  ...targets.flatMap((target) => (isService(target) ? [] : [`${target.kind} ${target.name} is not a Service`])),
  ...ancestors.flatMap(({ ancestorRef, conditions }) =>
    conditions
      .filter(isBad)
      .map(
        ({ type, status, reason, message }) =>
          `${type}=${status} (${reason}) at Service ${metadata.namespace}/${ancestorRef.name}: ${message}`,
      ),
  ),
];

const isBad = ({ type, status }: RouteCondition): boolean =>
  type === "PartiallyInvalid" ? status === "True" : status === "False";
