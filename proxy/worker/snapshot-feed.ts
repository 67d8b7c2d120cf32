import { credentialsFrom, type Credentials } from "#certs/verify/credentials.ts";
import { assertNever } from "#mesh/assert-never.ts";
import type { Authorization } from "#mesh/policies/authorization.ts";
import type { BackendPolicy } from "#mesh/routes/backend-policy.ts";
import type { PortRoutes } from "#mesh/routes/route.ts";
import { type PortKey, portKey } from "#mesh/routes/route-table.ts";
import { type Service, serviceName, type ServiceName } from "#mesh/service.ts";
import { emptySnapshot, nextSnapshot, type Snapshot } from "#mesh/snapshot.ts";
import type { TrustDomain } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import type { Workload } from "#mesh/workload.ts";
import type { AgentOrder } from "../channel/agent-order.ts";
import { decodeAddress } from "../resources/address.ts";
import { decodeAuthorization } from "../resources/authorization.ts";
import { decodeRouting, type Routing, unreadableRouting } from "../resources/routing.ts";
import { decodeTrustBundle } from "../resources/trust-bundle.ts";

type ResourceOrder = Extract<AgentOrder, { kind: "resource" }>;

/** A transaction as it comes in: the kinds of {@link nextSnapshot}'s change, to be written to. */
interface Pending {
  readonly workloads: Map<string, Workload | undefined>;
  readonly services: Map<ServiceName, Service | undefined>;
  readonly policies: Map<string, Authorization | undefined>;
  readonly bundles: Map<TrustDomain, TrustBundle | undefined>;
  readonly routes: Map<PortKey, PortRoutes | undefined>;
  readonly backendPolicies: Map<ServiceName, BackendPolicy | undefined>;
}

/**
 * Turns what the agent sends into snapshots. Resources are held back until their transaction is committed, so that nobody
 * ever decides by half of a change.
 */
export class SnapshotFeed {
  #snapshot: Snapshot = emptySnapshot;
  #pending = emptyPending();
  readonly #credentials = new Map<string, Credentials>();
  readonly #log: (message: string) => void;

  /** @param log what the agent had checked already and is wrong all the same */
  constructor(log: (message: string) => void) {
    this.#log = log;
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  credentialsOf(identity: string): Credentials | undefined {
    return this.#credentials.get(identity);
  }

  /** A new agent sends everything anew: what an earlier one had begun to send is forgotten, what it had committed stays. */
  startOver(): void {
    this.#pending = emptyPending();
  }

  /** @returns whether something is in force that was not before */
  take(order: AgentOrder): boolean {
    switch (order.kind) {
      case "resource":
        this.#hold(order);
        return false;
      case "commit": {
        const base = order.complete ? emptySnapshot : this.#snapshot;
        this.#snapshot = nextSnapshot(base, order.generation, this.#pending);
        this.#pending = emptyPending();
        return true;
      }
      case "credential": {
        const credentials = credentialsFrom(order.key, order.chain);
        if (credentials.ok) this.#credentials.set(order.identity, credentials.value);
        else this.#log(`credentials of ${order.identity}: ${credentials.error.message}`);
        return credentials.ok;
      }
      case "credential-gone":
        this.#credentials.delete(order.identity);
        return false;
      default:
        return assertNever(order);
    }
  }

  #hold({ resource, name, bytes }: ResourceOrder): void {
    const problem = bytes === undefined ? this.#remove(resource, name) : this.#set(resource, name, bytes);
    if (problem !== undefined) this.#log(`${resource} ${name}: ${problem}`);
  }

  /** A name of the type Address may be a workload's or a service's, and one of Routing a port's or a service's. */
  #remove(resource: ResourceOrder["resource"], name: string): undefined {
    if (resource === "authorization") this.#pending.policies.set(name, undefined);
    else if (resource === "trust-bundle") this.#pending.bundles.set(name as TrustDomain, undefined);
    else if (resource === "routing") {
      this.#pending.routes.set(name as PortKey, undefined);
      this.#pending.backendPolicies.set(name as ServiceName, undefined);
    } else {
      this.#pending.workloads.set(name, undefined);
      this.#pending.services.set(name as ServiceName, undefined);
    }
    return undefined;
  }

  #set(resource: ResourceOrder["resource"], name: string, bytes: Uint8Array): string | undefined {
    if (resource === "authorization") {
      const policy = decodeAuthorization(name, bytes);
      if (policy.ok) this.#pending.policies.set(name, policy.value);
      return policy.ok ? undefined : policy.error;
    }
    if (resource === "trust-bundle") {
      const bundle = decodeTrustBundle(name, bytes);
      if (bundle.ok) this.#pending.bundles.set(bundle.value.trustDomain, bundle.value);
      return bundle.ok ? undefined : bundle.error;
    }
    if (resource === "routing") {
      const routing = decodeRouting(name, bytes);
      this.#setRouting(routing.ok ? routing.value : unreadableRouting(name, routing.error));
      return routing.ok ? undefined : routing.error;
    }
    const address = decodeAddress(name, bytes);
    if (!address.ok) return address.error;
    if (address.value.kind === "workload") this.#pending.workloads.set(name, address.value.workload);
    else this.#pending.services.set(serviceName(address.value.service), address.value.service);
    return undefined;
  }

  #setRouting(routing: Routing | undefined): void {
    if (routing?.kind === "routes") {
      this.#pending.routes.set(portKey(routing.routes.service, routing.routes.port), routing.routes);
    } else if (routing) this.#pending.backendPolicies.set(routing.policy.service, routing.policy);
  }
}

const emptyPending = (): Pending => ({
  workloads: new Map(),
  services: new Map(),
  policies: new Map(),
  bundles: new Map(),
  routes: new Map(),
  backendPolicies: new Map(),
});
