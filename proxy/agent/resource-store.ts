import { ADDRESS_TYPE, AUTHORIZATION_TYPE, ROUTING_TYPE, TRUST_BUNDLE_TYPE } from "#api/type-urls.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import type { AgentOrder, ResourceKind } from "../channel/agent-order.ts";
import { MAX_RESOURCE_BYTES, MAX_RESOURCE_NAME } from "../channel/frame.ts";
import { decodeAddress } from "../resources/address.ts";
import { decodeAuthorization } from "../resources/authorization.ts";
import { decodeRouting } from "../resources/routing.ts";
import { decodeTrustBundle } from "../resources/trust-bundle.ts";

/** The types that the agent subscribes to, all of them whole. */
export const RESOURCE_TYPES: ReadonlyMap<string, ResourceKind> = new Map([
  [TRUST_BUNDLE_TYPE, "trust-bundle"],
  [ADDRESS_TYPE, "address"],
  [AUTHORIZATION_TYPE, "authorization"],
  [ROUTING_TYPE, "routing"],
]);

/** What a worker gets in place of a resource that cannot be read: it cannot read this either, and says so to who asks for it. */
const UNREADABLE = new Uint8Array(0);

/** A resource as the control plane sent it, after it was found to be readable. */
export interface StoredResource {
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** A resource as it arrived. `bytes` undefined: it is of another type than the response. */
export interface ReceivedResource {
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array | undefined;
}

/** One response of the control plane. */
export interface ResourceUpdate {
  readonly kind: ResourceKind;
  readonly resources: readonly ReceivedResource[];
  readonly removed: readonly string[];
}

/**
 * What the control plane has said, and what follows from it for the workers. Every resource is decoded before it is taken, so
 * that a bad one is refused here, alone, and its last good version stays. Of routes that never were good the workers are told
 * that they cannot be read: without a word they would serve the port as one without routes.
 */
export class ResourceStore {
  readonly #resources: Readonly<Record<ResourceKind, Map<string, StoredResource>>> = {
    address: new Map(),
    authorization: new Map(),
    "trust-bundle": new Map(),
    routing: new Map(),
  };
  readonly #synced = new Set<ResourceKind>();
  /** Resources that are not, or not in their newest version, among those that are held. */
  readonly #refused = new Set<string>();
  /** Routing of which no version could be read. */
  readonly #unreadable = new Set<string>();
  readonly #bundles = new Map<string, TrustBundle>();
  #generation = 0;

  /** Counts the transactions; the workers say which one they have applied. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether every type has been received once: before that nobody may decide by what is here. */
  get isSynced(): boolean {
    return this.#synced.size === RESOURCE_TYPES.size;
  }

  /** Whether everything that was received is held: nothing of it was refused and has not been replaced since. */
  get isComplete(): boolean {
    return this.#refused.size === 0;
  }

  /** A new stream sends again what is not held. */
  forgetRefused(): void {
    this.#refused.clear();
  }

  /** Names and versions that are held: what a new stream starts from. A refused version is not among them. */
  versions(kind: ResourceKind): Readonly<Record<string, string>> {
    return Object.fromEntries(Array.from(this.#resources[kind], ([name, { version }]) => [name, version]));
  }

  get counts(): Readonly<Record<ResourceKind, number>> {
    return {
      address: this.#resources.address.size,
      authorization: this.#resources.authorization.size,
      "trust-bundle": this.#resources["trust-bundle"].size,
      routing: this.#resources.routing.size,
    };
  }

  resources(kind: ResourceKind): ReadonlyMap<string, StoredResource> {
    return this.#resources[kind];
  }

  bundle(trustDomain: string): TrustBundle | undefined {
    return this.#bundles.get(trustDomain);
  }

  /**
   * Takes what is good of a response.
   * @returns the orders for the workers, without the commit, and `name: reason` of each resource that was refused
   */
  apply(update: ResourceUpdate): { readonly orders: readonly AgentOrder[]; readonly refused: readonly string[] } {
    const { kind } = update;
    const held = this.#resources[kind];
    const orders: AgentOrder[] = [];
    const refused: string[] = [];
    for (const resource of update.resources) {
      const { name, version } = resource;
      const checked = this.#check(kind, resource);
      if (!checked.ok) {
        this.#refused.add(`${kind} ${name}`);
        refused.push(`${name.slice(0, 256)}: ${checked.error}`);
        if (kind === "routing" && !held.has(name) && name.length <= MAX_RESOURCE_NAME) {
          this.#unreadable.add(name);
          orders.push(unreadableOrder(name));
        }
        continue;
      }
      this.#refused.delete(`${kind} ${name}`);
      if (kind === "routing") this.#unreadable.delete(name);
      if (held.get(name)?.version === version && version !== "") continue;
      held.set(name, { version, bytes: checked.value });
      orders.push({ kind: "resource", resource: kind, name, bytes: checked.value });
    }
    for (const name of update.removed) {
      this.#refused.delete(`${kind} ${name}`);
      const wasUnreadable = kind === "routing" && this.#unreadable.delete(name);
      if (!held.delete(name) && !wasUnreadable) continue;
      if (kind === "trust-bundle") this.#bundles.delete(name);
      orders.push({ kind: "resource", resource: kind, name, bytes: undefined });
    }
    this.#synced.add(kind);
    this.#generation++;
    return { orders, refused };
  }

  /** Everything, as one complete transaction for a worker that is new. */
  snapshotOrders(): readonly AgentOrder[] {
    const resources = Object.entries(this.#resources) as [ResourceKind, Map<string, StoredResource>][];
    return [
      ...resources.flatMap(([resource, held]) =>
        Array.from(held, ([name, { bytes }]): AgentOrder => ({ kind: "resource", resource, name, bytes })),
      ),
      ...Array.from(this.#unreadable, unreadableOrder),
      { kind: "commit", generation: this.#generation, complete: true },
    ];
  }

  /** @returns the resource's bytes, which the workers will be able to read; or what is wrong with it */
  #check(kind: ResourceKind, { name, bytes }: ReceivedResource): Result<Uint8Array, string> {
    if (bytes === undefined) return err("it is of another type than the response");
    if (name.length > MAX_RESOURCE_NAME) return err(`its name has ${name.length} characters`);
    if (bytes.length > MAX_RESOURCE_BYTES) return err(`${bytes.length} bytes are more than ${MAX_RESOURCE_BYTES}`);
    const decoded = this.#decode(kind, name, bytes);
    return decoded.ok ? ok(bytes) : decoded;
  }

  #decode(kind: ResourceKind, name: string, bytes: Uint8Array): Result<unknown, string> {
    if (kind === "address") return decodeAddress(name, bytes);
    if (kind === "authorization") return decodeAuthorization(name, bytes);
    if (kind === "routing") return decodeRouting(name, bytes);
    const bundle = decodeTrustBundle(name, bytes);
    if (bundle.ok) this.#bundles.set(name, bundle.value);
    return bundle;
  }
}

const unreadableOrder = (name: string): AgentOrder => ({
  kind: "resource",
  resource: "routing",
  name,
  bytes: UNREADABLE,
});
