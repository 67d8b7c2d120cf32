import type { NodeTrust } from "#certs/issue/rotation.ts";
import type { NodeStatus, TypeStatus } from "#mesh/admin/control-plane-status.ts";
import type { Clock } from "#mesh/clock.ts";
import type { TrustDomain } from "#mesh/spiffe-id.ts";
import type { Catalog } from "../publish/catalog.ts";
import type { DiscoveryStream } from "./discovery-stream.ts";
import type { KnownRoots } from "./known-roots.ts";

/** A node's stream, with what is known of its transport. */
export interface NodeConnection {
  readonly stream: DiscoveryStream;
  /** Address and port of the node's end. */
  readonly address: string;
  /** Ends the stream and tells the node why. */
  readonly end: (reason: string) => void;
}

/** A node: with its stream while it has one, later with the little that is worth remembering of it. */
type KnownNode =
  | { readonly kind: "connected"; readonly sinceMs: number; readonly connection: NodeConnection }
  | { readonly kind: "gone"; readonly sinceMs: number; readonly last: NodeState };

/** What a node has accepted. */
interface NodeState {
  readonly address: string;
  readonly held: string;
  readonly types: readonly TypeStatus[];
  /** Version of the trust bundle. */
  readonly bundle: string | undefined;
}

/** Nodes that went away are remembered, so that somebody can see that they did; up to a number, the longest gone first out. */
const MAX_NODES = 5_000;

/** The nodes of the mesh: those with a stream, and those that had one. */
export class NodeRegistry {
  readonly #nodes = new Map<string, KnownNode>();
  readonly #trustDomain: TrustDomain;
  readonly #clock: Pick<Clock, "now">;

  constructor(trustDomain: TrustDomain, clock: Pick<Clock, "now">) {
    this.#trustDomain = trustDomain;
    this.#clock = clock;
  }

  /** A node has one stream: an older one is likely dead without anybody having noticed, and is ended. */
  connect(connection: NodeConnection): void {
    const { node } = connection.stream;
    const before = this.#nodes.get(node);
    // Taken out first, so that the map is in the order of the last change.
    this.#nodes.delete(node);
    this.#nodes.set(node, { kind: "connected", sinceMs: this.#clock.now(), connection });
    if (before?.kind === "connected") before.connection.end("replaced by a newer stream of this node");
    this.#forgetSome();
  }

  /** @returns false if the node has a newer stream already */
  disconnect(connection: NodeConnection): boolean {
    const { node } = connection.stream;
    const known = this.#nodes.get(node);
    if (known?.kind !== "connected" || known.connection !== connection) return false;
    this.#nodes.delete(node);
    this.#nodes.set(node, { kind: "gone", sinceMs: this.#clock.now(), last: this.#stateOf(known) });
    return true;
  }

  connected(): readonly NodeConnection[] {
    return [...this.#nodes.values()].flatMap((known) => (known.kind === "connected" ? [known.connection] : []));
  }

  statuses(catalog: Catalog): readonly NodeStatus[] {
    return [...this.#nodes]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([node, known]) => {
        const { address, held, types } = this.#stateOf(known);
        const since = new Date(known.sinceMs).toISOString();
        return {
          node,
          connected: known.kind === "connected",
          since,
          address,
          wanted: catalog.wanted(node),
          held,
          types,
        };
      });
  }

  /** Which roots each node trusts, by the last bundle it accepted. */
  trust(roots: KnownRoots): readonly NodeTrust[] {
    return [...this.#nodes].map(([node, known]) => ({
      node,
      roots: roots.rootsOf(this.#stateOf(known).bundle),
      disconnectedSince: known.kind === "gone" ? known.sinceMs : undefined,
    }));
  }

  #stateOf(known: KnownNode): NodeState {
    if (known.kind === "gone") return known.last;
    const { stream, address } = known.connection;
    const bundle = stream.acceptedBundle(this.#trustDomain);
    return { address, held: stream.held, types: stream.typeStatuses(), bundle };
  }

  #forgetSome(): void {
    for (const [node, { kind }] of this.#nodes) {
      if (this.#nodes.size <= MAX_NODES) return;
      if (kind === "gone") this.#nodes.delete(node);
    }
  }
}
