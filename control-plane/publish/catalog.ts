import { ADDRESS_TYPE, AUTHORIZATION_TYPE, ROUTING_TYPE, TRUST_BUNDLE_TYPE } from "#api/type-urls.ts";
import type { Authorization } from "#mesh/policies/authorization.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import type { Service } from "#mesh/service.ts";
import type { Workload } from "#mesh/workload.ts";
import { IndexedTable } from "../derive/indexed-table.ts";
import type { ModelChange } from "../derive/mesh-model.ts";
import { encodeAuthorization } from "./encode-authorization.ts";
import { encodeBackendPolicy } from "./encode-backend-policy.ts";
import { encodeRoutes } from "./encode-routes.ts";
import { encodeService } from "./encode-service.ts";
import { encodeTrustBundle } from "./encode-trust-bundle.ts";
import { encodeWorkload } from "./encode-workload.ts";
import type { Resource } from "./resource.ts";
import { EMPTY_VIEW, type ResourceView, viewOf } from "./resource-view.ts";
import { EMPTY_SET, formatSetVersion, markOf, type SetVersion } from "./set-version.ts";

interface PublishedAddress {
  readonly resource: Resource;
  /** Undefined for a service. */
  readonly workload: Workload | undefined;
}

interface PublishedPolicy {
  readonly resource: Resource;
  readonly policy: Authorization;
  readonly mark: SetVersion;
}

/** Names of resources that are different now, which is not every one that was derived anew. */
export interface CatalogChange {
  /** Workloads and services. */
  readonly addresses: ReadonlySet<string>;
  readonly routing: ReadonlySet<string>;
}

/**
 * Everything that is published, encoded once. Workloads, services, routes and the trust bundle concern every node: the caller's
 * side needs them. Policies concern the nodes that run a workload they hold for.
 */
export class Catalog {
  readonly #addresses = new IndexedTable<PublishedAddress, "alias" | "service" | "node policy" | "node namespace">({
    alias: ({ resource }) => resource.aliases,
    service: ({ workload }) => [...(workload?.services.keys() ?? [])],
    "node policy": ({ workload }) => workload?.policies.map((policy) => `${workload.node} ${policy}`) ?? [],
    "node namespace": ({ workload }) => (workload ? [`${workload.node} ${workload.namespace}`] : []),
  });
  readonly #policies = new Map<string, PublishedPolicy>();
  readonly #routing = new Map<string, Resource>();
  /** The names of what there is of each Service in {@link #routing}: of its routes, and of its policy. */
  readonly #routingOf = new Map<string, ReadonlySet<string>>();
  /** The versions of whole nodes, until something changes. */
  readonly #wanted = new Map<string, string>();
  #bundle: Resource | undefined;
  #addressVersion: SetVersion = EMPTY_SET;
  #routingVersion: SetVersion = EMPTY_SET;
  readonly #addressView: ResourceView = {
    get: (name) => this.#addresses.get(name)?.resource,
    names: () => this.#addresses.keys(),
    find: (name) => (this.#addresses.get(name) ? [name] : this.#addresses.keysWhere("alias", name)),
    behind: (name) => this.#addresses.keysWhere("service", name),
  };

  apply(change: ModelChange): CatalogChange {
    const changed = new Set<string>();
    this.#wanted.clear();
    for (const [name, service] of change.services) this.#putAddress(changed, name, service && encodedService(service));
    for (const [uid, workload] of change.workloads)
      this.#putAddress(changed, uid, workload && encodedWorkload(workload));
    for (const [name, policy] of change.policies) {
      if (policy) this.#policies.set(name, encodedPolicy(policy));
      else this.#policies.delete(name);
    }
    const routing = new Set<string>();
    for (const [service, ports] of change.routes) {
      this.#putRouting(routing, `routes ${service}`, (ports ?? []).map(encodeRoutes));
    }
    for (const [service, policy] of change.backends) {
      this.#putRouting(routing, `policy ${service}`, policy ? [encodeBackendPolicy(policy)] : []);
    }
    return { addresses: changed, routing };
  }

  setBundle(bundle: TrustBundle): void {
    this.#wanted.clear();
    this.#bundle = encodeTrustBundle(bundle);
  }

  /** The resources of a type that a node may have. */
  view(type: string, node: string): ResourceView {
    if (type === ADDRESS_TYPE) return this.#addressView;
    if (type === AUTHORIZATION_TYPE) return viewOf(this.#policyResources(node));
    if (type === ROUTING_TYPE) return viewOf(this.#routing);
    if (type === TRUST_BUNDLE_TYPE && this.#bundle) return viewOf(new Map([[this.#bundle.name, this.#bundle]]));
    return EMPTY_VIEW;
  }

  /** The version of everything that a node should have. */
  wanted(node: string): string {
    const known = this.#wanted.get(node);
    if (known !== undefined) return known;
    let version = this.#addressVersion ^ this.#routingVersion;
    if (this.#bundle) version ^= markOf(TRUST_BUNDLE_TYPE, this.#bundle);
    for (const [, { mark }] of this.#policiesFor(node)) version ^= mark;
    const wanted = formatSetVersion(version);
    this.#wanted.set(node, wanted);
    return wanted;
  }

  #putAddress(changed: Set<string>, name: string, address: PublishedAddress | undefined): void {
    const before = this.#addresses.set(name, address);
    if (before?.resource.version === address?.resource.version) return;
    if (before) this.#addressVersion ^= markOf(ADDRESS_TYPE, before.resource);
    if (address) this.#addressVersion ^= markOf(ADDRESS_TYPE, address.resource);
    changed.add(name);
  }

  #putRouting(changed: Set<string>, owner: string, resources: readonly Resource[]): void {
    const byName = new Map(resources.map((resource) => [resource.name, resource]));
    for (const name of new Set([...(this.#routingOf.get(owner) ?? []), ...byName.keys()])) {
      const [before, after] = [this.#routing.get(name), byName.get(name)];
      if (before?.version === after?.version) continue;
      if (before) this.#routingVersion ^= markOf(ROUTING_TYPE, before);
      if (after) this.#routingVersion ^= markOf(ROUTING_TYPE, after);
      if (after) this.#routing.set(name, after);
      else this.#routing.delete(name);
      changed.add(name);
    }
    if (byName.size === 0) this.#routingOf.delete(owner);
    else this.#routingOf.set(owner, new Set(byName.keys()));
  }

  #policiesFor(node: string): readonly (readonly [string, PublishedPolicy])[] {
    return [...this.#policies].filter(([name, { policy }]) => this.#concerns(policy, name, node));
  }

  #policyResources(node: string): ReadonlyMap<string, Resource> {
    return new Map(this.#policiesFor(node).map(([name, { resource }]) => [name, resource]));
  }

  #concerns(policy: Authorization, name: string, node: string): boolean {
    if (policy.scope === "global") return true;
    if (policy.scope === "namespace") return this.#addresses.hasWhere("node namespace", `${node} ${policy.namespace}`);
    return this.#addresses.hasWhere("node policy", `${node} ${name}`);
  }
}

const encodedService = (service: Service): PublishedAddress => ({
  resource: encodeService(service),
  workload: undefined,
});

const encodedPolicy = (policy: Authorization): PublishedPolicy => {
  const resource = encodeAuthorization(policy);
  return { policy, resource, mark: markOf(AUTHORIZATION_TYPE, resource) };
};

const encodedWorkload = (workload: Workload): PublishedAddress => ({ resource: encodeWorkload(workload), workload });
