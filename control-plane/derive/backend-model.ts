import { assertNever } from "#mesh/assert-never.ts";
import type { PolicyAncestorStatus } from "#mesh/admin/control-plane-status.ts";
import { type MeshObject, objectKey } from "#mesh/objects/mesh-object.ts";
import type { BackendPolicy } from "#mesh/routes/backend-policy.ts";
import type { ServiceName } from "#mesh/service.ts";
import { type ObjectChange, type ObjectTables, tableKey } from "./object-tables.ts";
import { targetedServices } from "./policy-targets.ts";
import { meshServiceName } from "./service-model.ts";
import { tlsOfService, tlsPolicyStatus } from "./tls-policy.ts";
import { trafficPolicyOf, trafficPolicyStatus } from "./traffic-policy.ts";

/** The policies of Services that were derived anew; undefined: there is none any more. Some may be the same as before. */
export type BackendChange = ReadonlyMap<ServiceName, BackendPolicy | undefined>;

/** What holds for all requests to a Service, of all Services, and what became of each policy that says so. */
export class BackendModel {
  readonly #tables: ObjectTables;
  readonly #policies = new Map<ServiceName, BackendPolicy>();
  readonly #statuses = new Map<string, readonly PolicyAncestorStatus[]>();

  constructor(tables: ObjectTables) {
    this.#tables = tables;
  }

  /** By Service; those without policies are left out. */
  policies(): ReadonlyMap<ServiceName, BackendPolicy> {
    return this.#policies;
  }

  /** By key of the policy: `XBackendTrafficPolicy shop/retries`. */
  statuses(): ReadonlyMap<string, readonly PolicyAncestorStatus[]> {
    return this.#statuses;
  }

  /** @param changes that the tables have in them already */
  apply(changes: readonly ObjectChange[]): BackendChange {
    const services = new Set<string>();
    const policies = new Set<string>();
    for (const { before, after } of changes) {
      for (const object of [before, after]) if (object) this.#mark(object, services, policies);
    }
    const { backendTrafficPolicies, backendTlsPolicies } = this.#tables;
    for (const service of services) {
      const concerned = [
        ...backendTrafficPolicies.where("target", service),
        ...backendTlsPolicies.where("target", service),
      ];
      for (const policy of concerned) policies.add(objectKey(policy));
    }
    for (const policy of policies) this.#deriveStatus(policy);
    return new Map([...services].map((service) => this.#derivePolicy(service)));
  }

  #mark(object: MeshObject, services: Set<string>, policies: Set<string>): void {
    switch (object.kind) {
      case "XBackendTrafficPolicy":
      case "BackendTLSPolicy":
        policies.add(objectKey(object));
        for (const service of targetedServices(object)) services.add(service);
        return;
      case "ConfigMap":
        for (const policy of this.#tables.backendTlsPolicies.where("config map", tableKey(object))) {
          this.#mark(policy, services, policies);
        }
        return;
      case "Service":
        services.add(tableKey(object));
        return;
      case "HTTPRoute":
      case "GRPCRoute":
      case "ReferenceGrant":
      case "Namespace":
      case "ServiceAccount":
      case "Pod":
      case "EndpointSlice":
      case "PeerAuthentication":
        return;
      default:
        assertNever(object);
    }
  }

  #derivePolicy(key: string): readonly [ServiceName, BackendPolicy | undefined] {
    const [namespace = "", name = ""] = key.split("/");
    const service = meshServiceName(namespace, name);
    const traffic = trafficPolicyOf(this.#tables, key);
    const tls = tlsOfService(this.#tables, key);
    if (!traffic && tls.size === 0) {
      this.#policies.delete(service);
      return [service, undefined];
    }
    const policy: BackendPolicy = {
      service,
      retryConstraint: traffic?.retryConstraint,
      sessionPersistence: traffic?.sessionPersistence,
      tls,
    };
    this.#policies.set(service, policy);
    return [service, policy];
  }

  #deriveStatus(key: string): void {
    const status = this.#statusOf(key);
    if (status) this.#statuses.set(key, status);
    else this.#statuses.delete(key);
  }

  #statusOf(key: string): readonly PolicyAncestorStatus[] | undefined {
    const [kind, name = ""] = key.split(" ");
    if (kind === "BackendTLSPolicy") {
      const policy = this.#tables.backendTlsPolicies.get(name);
      return policy && tlsPolicyStatus(this.#tables, policy);
    }
    const policy = this.#tables.backendTrafficPolicies.get(name);
    return policy && trafficPolicyStatus(this.#tables, policy);
  }
}
