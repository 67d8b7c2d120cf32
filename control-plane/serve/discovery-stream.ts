import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  ResourceSchema,
} from "#api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, ROUTING_TYPE, TRUST_BUNDLE_TYPE } from "#api/type-urls.ts";
import type { TypeStatus } from "#mesh/admin/control-plane-status.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import type { Catalog, CatalogChange } from "../publish/catalog.ts";
import type { Resource } from "../publish/resource.ts";
import { type Payload, Subscription } from "./subscription.ts";

/** Types that nobody publishes are answered too; a client that asks for many of them is broken. */
const MAX_TYPES = 16;

/** A node has what it needs when it has these, beside whatever else it subscribed to. */
const ESSENTIAL_TYPES = [ADDRESS_TYPE, AUTHORIZATION_TYPE];

/** Those whose order matters; others go whenever. */
const ORDERED_TYPES: ReadonlySet<string> = new Set([TRUST_BUNDLE_TYPE, AUTHORIZATION_TYPE, ADDRESS_TYPE, ROUTING_TYPE]);

/**
 * One node's stream, apart from the transport: each type is a subscription of its own, with its own nonces.
 *
 * What is needed goes first: roots before the identities under them, policies before the workloads that name them. A policy is
 * removed only when the node has the workloads that no longer name it: at no moment does a workload name a policy that is
 * not there. Routes come after the Services and endpoints that they lead to, and what is gone of these goes after the routes that
 * no longer lead there.
 */
export class DiscoveryStream {
  readonly node: string;
  readonly #catalog: Catalog;
  readonly #send: (response: DeltaDiscoveryResponse) => void;
  readonly #types = new Map<string, Subscription>();
  #nonces = 0;
  #held = "";

  constructor(node: string, catalog: Catalog, send: (response: DeltaDiscoveryResponse) => void) {
    this.node = node;
    this.#catalog = catalog;
    this.#send = send;
  }

  /** The version of everything, at the time this node last had all of it; empty before. */
  get held(): string {
    return this.#held;
  }

  /** @returns why the stream must end */
  handle(request: DeltaDiscoveryRequest): Result<undefined, string> {
    const { typeUrl, responseNonce, errorDetail } = request;
    const type = this.#typeOf(typeUrl);
    if (!type.ok) return type;
    if (responseNonce !== "") {
      if (errorDetail) type.value.reject(responseNonce, errorDetail.message);
      else type.value.acknowledge(responseNonce);
    }
    const taken = type.value.request(
      {
        subscribe: request.resourceNamesSubscribe,
        unsubscribe: request.resourceNamesUnsubscribe,
        initialVersions: request.initialResourceVersions,
      },
      this.#catalog.view(typeUrl, this.node),
    );
    if (taken.ok) this.flush();
    return taken;
  }

  /** The catalog changed. */
  changed({ addresses, routing }: CatalogChange): void {
    const names = new Map([
      [ADDRESS_TYPE, addresses],
      [ROUTING_TYPE, routing],
    ]);
    for (const [typeUrl, type] of this.#types) type.changed(names.get(typeUrl));
    this.flush();
  }

  /** Sends what there is to send. */
  flush(): void {
    this.#sendNext(TRUST_BUNDLE_TYPE);
    this.#sendNext(AUTHORIZATION_TYPE, false);
    this.#sendNext(ADDRESS_TYPE, this.#isSettled(ROUTING_TYPE));
    // A client may acknowledge nothing before it has heard of every type.
    const isNew = this.#types.get(ROUTING_TYPE)?.isAnswered === false;
    if (isNew || this.#isDelivered(ADDRESS_TYPE)) this.#sendNext(ROUTING_TYPE);
    if (this.#isSettled(ROUTING_TYPE)) this.#sendNext(ADDRESS_TYPE);
    if (this.#isDelivered(ADDRESS_TYPE)) this.#sendNext(AUTHORIZATION_TYPE);
    for (const typeUrl of this.#types.keys()) if (!ORDERED_TYPES.has(typeUrl)) this.#sendNext(typeUrl);
    const hasEssentials = ESSENTIAL_TYPES.every((typeUrl) => this.#types.has(typeUrl));
    const isSynced = [...this.#types.values()].every((type) => type.isSynced);
    if (hasEssentials && isSynced) this.#held = this.#catalog.wanted(this.node);
  }

  typeStatuses(): readonly TypeStatus[] {
    return [...this.#types].map(([type, subscription]) => ({
      type,
      resources: subscription.size,
      acked: subscription.isSynced,
      nack: subscription.rejection,
    }));
  }

  /** The version of the trust domain's bundle that the node has accepted. */
  acceptedBundle(trustDomain: string): string | undefined {
    return this.#types.get(TRUST_BUNDLE_TYPE)?.acceptedVersion(trustDomain);
  }

  /** Whether nothing of a type is on its way, which also holds for one that the node did not subscribe to. */
  #isDelivered(typeUrl: string): boolean {
    return this.#types.get(typeUrl)?.isDelivered ?? true;
  }

  /** Whether there is nothing to send of it either. */
  #isSettled(typeUrl: string): boolean {
    return this.#isDelivered(typeUrl) && this.#types.get(typeUrl)?.hasWork !== true;
  }

  #typeOf(typeUrl: string): Result<Subscription, string> {
    const known = this.#types.get(typeUrl);
    if (known) return ok(known);
    if (typeUrl === "") return err("a request without type_url");
    if (this.#types.size >= MAX_TYPES) return err(`more than ${MAX_TYPES} types on one stream`);
    const subscription = new Subscription();
    this.#types.set(typeUrl, subscription);
    return ok(subscription);
  }

  #sendNext(typeUrl: string, mayRemove = true): void {
    const subscription = this.#types.get(typeUrl);
    if (!subscription?.hasWork) return;
    const nonce = String(this.#nonces + 1);
    const payload = subscription.next(this.#catalog.view(typeUrl, this.node), nonce, mayRemove);
    if (!payload) return;
    this.#nonces += 1;
    this.#send(this.#response(typeUrl, nonce, payload));
  }

  #response(typeUrl: string, nonce: string, { resources, removed }: Payload): DeltaDiscoveryResponse {
    return create(DeltaDiscoveryResponseSchema, {
      systemVersionInfo: this.#catalog.wanted(this.node),
      typeUrl,
      nonce,
      resources: resources.map((resource) => encodeResource(typeUrl, resource)),
      removedResources: [...removed],
      controlPlane: { identifier: "heddle" },
    });
  }
}

const encodeResource = (typeUrl: string, { name, version, aliases, body }: Resource) =>
  create(ResourceSchema, {
    name,
    version,
    aliases: [...aliases],
    resource: create(AnySchema, { typeUrl, value: body }),
  });
