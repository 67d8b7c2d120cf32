import { ADDRESS_TYPE, AUTHORIZATION_TYPE, TRUST_BUNDLE_TYPE } from "#api/type-urls.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";
import type { AgentOrder, ResourceKind } from "../channel/agent-order.ts";
import { decodeAddress } from "../resources/address.ts";
import { decodeAuthorization } from "../resources/authorization.ts";
import { decodeTrustBundle } from "../resources/trust-bundle.ts";

/** The types that the agent subscribes to, all of them whole. */
export const RESOURCE_TYPES: ReadonlyMap<string, ResourceKind> = new Map([
  [TRUST_BUNDLE_TYPE, "trust-bundle"],
  [ADDRESS_TYPE, "address"],
  [AUTHORIZATION_TYPE, "authorization"],
]);

/** A resource as the control plane sent it, after it was found to be readable. */
export interface StoredResource {
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** One response of the control plane. */
export interface ResourceUpdate {
  readonly kind: ResourceKind;
  readonly resources: readonly { readonly name: string; readonly version: string; readonly bytes: Uint8Array }[];
  readonly removed: readonly string[];
}

/**
 * What the control plane has said, and what follows from it for the workers. Every resource is decoded before it is taken, so
 * that a bad one is refused here, alone, and its last good version stays.
 */
export class ResourceStore {
  readonly #resources: Readonly<Record<ResourceKind, Map<string, StoredResource>>> = {
    address: new Map(),
    authorization: new Map(),
    "trust-bundle": new Map(),
  };
  readonly #synced = new Set<ResourceKind>();
  #bundles = new Map<string, TrustBundle>();
  #generation = 0;

  /** Counts the transactions; the workers say which one they have applied. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether every type has been received once: before that nobody may decide by what is here. */
  get isSynced(): boolean {
    return this.#synced.size === RESOURCE_TYPES.size;
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
    for (const { name, version, bytes } of update.resources) {
      const decoded = this.#decode(kind, name, bytes);
      if (!decoded.ok) refused.push(`${name}: ${decoded.error}`);
      else if (held.get(name)?.version !== version || version === "") {
        held.set(name, { version, bytes });
        orders.push({ kind: "resource", resource: kind, name, bytes });
      }
    }
    for (const name of update.removed) {
      if (!held.delete(name)) continue;
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
      { kind: "commit", generation: this.#generation, complete: true },
    ];
  }

  #decode(kind: ResourceKind, name: string, bytes: Uint8Array): Result<undefined, string> {
    if (kind === "address") return outcome(decodeAddress(name, bytes));
    if (kind === "authorization") return outcome(decodeAuthorization(name, bytes));
    const bundle = decodeTrustBundle(name, bytes);
    if (bundle.ok) this.#bundles.set(name, bundle.value);
    return outcome(bundle);
  }
}

const outcome = (decoded: Result<unknown, string>): Result<undefined, string> =>
  decoded.ok ? ok(undefined) : err(decoded.error);
