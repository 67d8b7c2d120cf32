import type { IpAddress } from "./ip-address.ts";
import { type Authorization, policyName } from "./policies/authorization.ts";
import type { BackendPolicy } from "./routes/backend-policy.ts";
import type { PortRoutes } from "./routes/route.ts";
import { type PortKey, type RouteTable, tableWith } from "./routes/route-table.ts";
import { type Service, serviceName, type ServiceName } from "./service.ts";
import { emptySharedMap, sharedGet, type SharedMap, sharedValues, sharedWith } from "./shared-map.ts";
import type { TrustDomain } from "./spiffe-id.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import type { Workload } from "./workload.ts";

/** Everything that a worker decides from. Immutable: a change makes the next one, which shares what stayed the same. */
export interface Snapshot {
  readonly generation: number;
  readonly workloads: SharedMap<string, Workload>;
  readonly services: SharedMap<ServiceName, Service>;
  readonly policies: SharedMap<string, Authorization>;
  readonly bundles: ReadonlyMap<TrustDomain, TrustBundle>;
  readonly routes: RouteTable;
  readonly backendPolicies: SharedMap<ServiceName, BackendPolicy>;
  readonly workloadsByAddress: SharedMap<IpAddress, readonly Workload[]>;
  readonly servicesByAddress: SharedMap<IpAddress, readonly Service[]>;
  readonly workloadsByService: SharedMap<ServiceName, readonly Workload[]>;
  /** Policies that nobody has to name: those of the mesh, and of each namespace. */
  readonly meshPolicies: readonly Authorization[];
  readonly namespacePolicies: ReadonlyMap<string, readonly Authorization[]>;
}

/** What is new between two snapshots. Undefined: it is gone. */
export interface SnapshotChange {
  readonly workloads: ReadonlyMap<string, Workload | undefined>;
  readonly services: ReadonlyMap<ServiceName, Service | undefined>;
  readonly policies: ReadonlyMap<string, Authorization | undefined>;
  readonly bundles: ReadonlyMap<TrustDomain, TrustBundle | undefined>;
  readonly routes: ReadonlyMap<PortKey, PortRoutes | undefined>;
  readonly backendPolicies: ReadonlyMap<ServiceName, BackendPolicy | undefined>;
}

export const emptySnapshot: Snapshot = {
  generation: 0,
  workloads: emptySharedMap(),
  services: emptySharedMap(),
  policies: emptySharedMap(),
  bundles: new Map(),
  routes: emptySharedMap(),
  backendPolicies: emptySharedMap(),
  workloadsByAddress: emptySharedMap(),
  servicesByAddress: emptySharedMap(),
  workloadsByService: emptySharedMap(),
  meshPolicies: [],
  namespacePolicies: new Map(),
};

/** The workload that has this address; where an address was reused, a healthy one, and of these the newest. */
export const workloadAt = (snapshot: Snapshot, address: IpAddress): Workload | undefined => {
  const workloads = sharedGet(snapshot.workloadsByAddress, address);
  return workloads?.findLast((workload) => workload.health === "healthy") ?? workloads?.at(-1);
};

/** The service that has this virtual address; of several that claim it, the first by name. */
export const serviceAt = (snapshot: Snapshot, address: IpAddress): Service | undefined => {
  const services = sharedGet(snapshot.servicesByAddress, address);
  return services && services.length > 1
    ? services.toSorted((a, b) => (serviceName(a) < serviceName(b) ? -1 : 1))[0]
    : services?.[0];
};

/** The workloads that say they are endpoints of the service, whatever their health. */
export const workloadsOf = (snapshot: Snapshot, service: ServiceName): readonly Workload[] =>
  sharedGet(snapshot.workloadsByService, service) ?? [];

/** What holds for all requests to a service, whichever route led them there. */
export const backendPolicyOf = (snapshot: Snapshot, service: Service): BackendPolicy | undefined =>
  // Each request asks, and few meshes have any: its name is not put together for nothing.
  snapshot.backendPolicies.size === 0 ? undefined : sharedGet(snapshot.backendPolicies, serviceName(service));

/**
 * Every policy that concerns a workload: the mesh's, its namespace's, and those it names. A policy that it names and that
 * nobody sent is left for the caller to see: what is not known cannot be enforced.
 */
export const policiesOf = (
  snapshot: Snapshot,
  workload: Workload,
): { readonly policies: readonly Authorization[]; readonly missing: readonly string[] } => {
  const ofNamespace = snapshot.namespacePolicies.get(workload.namespace);
  if (workload.policies.length === 0 && !ofNamespace) return { policies: snapshot.meshPolicies, missing: NONE };
  const named = workload.policies.map((name) => sharedGet(snapshot.policies, name));
  return {
    policies: [...snapshot.meshPolicies, ...(ofNamespace ?? []), ...named.filter((policy) => policy !== undefined)],
    missing: workload.policies.filter((_, index) => named[index] === undefined),
  };
};

/** The next snapshot. Removing what is not there changes nothing. */
export const nextSnapshot = (base: Snapshot, generation: number, change: SnapshotChange): Snapshot => {
  const policies = sharedWith(base.policies, change.policies);
  return {
    generation,
    workloads: sharedWith(base.workloads, change.workloads),
    services: sharedWith(base.services, change.services),
    policies,
    bundles: change.bundles.size === 0 ? base.bundles : withEntries(base.bundles, change.bundles),
    routes: tableWith(base.routes, change.routes),
    backendPolicies: sharedWith(base.backendPolicies, change.backendPolicies),
    workloadsByAddress: reindex(base.workloadsByAddress, base.workloads, change.workloads, foundAt),
    workloadsByService: reindex(base.workloadsByService, base.workloads, change.workloads, servicesOf),
    servicesByAddress: reindex(base.servicesByAddress, base.services, change.services, ({ addresses }) => addresses),
    ...(policies === base.policies
      ? { meshPolicies: base.meshPolicies, namespacePolicies: base.namespacePolicies }
      : indexPolicies(policies)),
  };
};

const foundAt = (workload: Workload): readonly IpAddress[] => (workload.hostNetwork ? [] : workload.addresses);

const servicesOf = (workload: Workload): readonly ServiceName[] => [...workload.services.keys()];

/** Keeps the list of values that belong to each key of an index up to date, the newest last. */
const reindex = <Name extends string, Value, Key extends string>(
  index: SharedMap<Key, readonly Value[]>,
  base: SharedMap<Name, Value>,
  changes: ReadonlyMap<Name, Value | undefined>,
  keysOf: (value: Value) => readonly Key[],
): SharedMap<Key, readonly Value[]> => {
  const lists = new Map<Key, Value[]>();
  const listOf = (key: Key): Value[] => {
    const list = lists.get(key) ?? [...(sharedGet(index, key) ?? [])];
    lists.set(key, list);
    return list;
  };
  for (const [name, value] of changes) {
    const previous = sharedGet(base, name);
    for (const key of previous === undefined ? [] : keysOf(previous)) {
      const list = listOf(key);
      list.splice(list.indexOf(previous as Value), 1);
    }
    for (const key of value === undefined ? [] : keysOf(value)) listOf(key).push(value as Value);
  }
  return sharedWith(
    index,
    [...lists].map(([key, list]) => [key, list.length === 0 ? undefined : list] as const),
  );
};

const indexPolicies = (
  policies: SharedMap<string, Authorization>,
): Pick<Snapshot, "meshPolicies" | "namespacePolicies"> => {
  const inOrder = [...sharedValues(policies)].sort((a, b) => (policyName(a) < policyName(b) ? -1 : 1));
  return {
    meshPolicies: inOrder.filter(({ scope }) => scope === "global"),
    namespacePolicies: Map.groupBy(
      inOrder.filter(({ scope }) => scope === "namespace"),
      ({ namespace }) => namespace,
    ),
  };
};

const withEntries = <Key, Value>(
  base: ReadonlyMap<Key, Value>,
  changes: ReadonlyMap<Key, Value | undefined>,
): ReadonlyMap<Key, Value> => {
  const next = new Map(base);
  for (const [key, value] of changes) {
    if (value === undefined) next.delete(key);
    else next.set(key, value);
  }
  return next;
};

const NONE: readonly string[] = [];
