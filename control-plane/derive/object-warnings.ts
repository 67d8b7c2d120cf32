import type { PolicyAncestorStatus, RouteParentStatus } from "#mesh/admin/control-plane-status.ts";
import type { RouteObject } from "./route-references.ts";
import { type MeshKind, type MeshObject, objectKey } from "#mesh/objects/mesh-object.ts";
import type { PeerAuthenticationObject } from "#mesh/objects/peer-authentication.ts";
import { isCaptured, type PodObject } from "#mesh/objects/pod.ts";
import { routeWarnings, backendPolicyWarnings } from "./route-warnings.ts";
import { type ObjectTables, tableKey } from "./object-tables.ts";
import { oldestPolicy } from "./peer-authentication.ts";
import { serviceWarnings, sliceWarnings } from "./service-warnings.ts";

/**
 * What a person should know about objects that are in order each by itself: that they refer to nothing, have no effect, or
 * another effect than one might think. By key (`Service shop/web`); objects without a warning are left out.
 */
export const objectWarnings = (
  tables: ObjectTables,
  rootNamespace: string,
  routes: ReadonlyMap<string, readonly RouteParentStatus[]> = new Map(),
  policies: ReadonlyMap<string, readonly PolicyAncestorStatus[]> = new Map(),
): ReadonlyMap<string, readonly string[]> => {
  const warnings = new Map<string, readonly string[]>();
  const collect = <Kind extends MeshKind>(
    kind: Kind,
    objects: Iterable<MeshObject & { readonly kind: Kind }>,
    warningsOf: (object: MeshObject & { readonly kind: Kind }) => readonly string[],
  ): void => {
    for (const object of objects) {
      const found = warningsOf(object);
      if (found.length > 0) warnings.set(`${kind} ${tableKey(object)}`, found);
    }
  };
  collect("Pod", tables.pods.values(), (pod) => podWarnings(tables, pod));
  collect("Service", tables.services.values(), (service) => serviceWarnings(tables, service));
  collect("EndpointSlice", tables.slices.values(), (slice) => sliceWarnings(tables, slice));
  collect("PeerAuthentication", tables.peerAuthentications.values(), (policy) =>
    policyWarnings(tables, rootNamespace, policy),
  );
  const routeWarningsOf = (route: RouteObject): readonly string[] =>
    routeWarnings(route, routes.get(`${route.kind} ${tableKey(route)}`) ?? []);
  collect("HTTPRoute", tables.httpRoutes.values(), routeWarningsOf);
  collect("GRPCRoute", tables.grpcRoutes.values(), routeWarningsOf);
  collect("XBackendTrafficPolicy", tables.backendTrafficPolicies.values(), (policy) =>
    backendPolicyWarnings(policy, policies.get(objectKey(policy)) ?? []),
  );
  collect("BackendTLSPolicy", tables.backendTlsPolicies.values(), (policy) =>
    backendPolicyWarnings(policy, policies.get(objectKey(policy)) ?? []),
  );
  return warnings;
};

/** There without anybody declaring it, in every namespace. */
const DEFAULT_ACCOUNT = "default";

const podWarnings = (tables: ObjectTables, pod: PodObject): readonly string[] => {
  const { namespace } = pod.metadata;
  const account = `${namespace}/${pod.serviceAccount}`;
  const warnings: string[] = [];
  if (pod.serviceAccount !== DEFAULT_ACCOUNT && !tables.serviceAccounts.get(account)) {
    warnings.push(`ServiceAccount ${account} is not declared: a cluster would refuse the pod`);
  }
  if (pod.hostNetwork && isCaptured(pod)) {
    warnings.push("is on the host's network, where nothing is captured: it is reached without a tunnel");
  }
  return warnings;
};

const policyWarnings = (
  tables: ObjectTables,
  rootNamespace: string,
  policy: PeerAuthenticationObject,
): readonly string[] => {
  const { namespace } = policy.metadata;
  if (policy.selector && namespace === rootNamespace) {
    return [`has no effect: a selector in the root namespace ${rootNamespace} selects nothing`];
  }
  const modes = [policy.mode, ...policy.portModes.values()];
  const disable = "DISABLE is treated as PERMISSIVE: callers in the mesh keep using mutual TLS";
  return [...(modes.includes("DISABLE") ? [disable] : []), ...olderPolicy(tables, policy)];
};

/** Of several policies for one namespace only the oldest counts. */
const olderPolicy = (tables: ObjectTables, policy: PeerAuthenticationObject): readonly string[] => {
  if (policy.selector) return [];
  const wide = tables.peerAuthentications
    .where("namespace", policy.metadata.namespace)
    .filter(({ selector }) => selector === undefined);
  const winner = oldestPolicy(wide);
  if (!winner || winner === policy) return [];
  return [`has no effect: PeerAuthentication ${tableKey(winner)} for the same namespace is older, or first by name`];
};
