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
  /** Which set of the node's processes it belongs to, as the node says; empty for one that does not say. */
  readonly instance: string;
  /** Address and port of the node's end. */
  readonly address: string;
  /** Ends the stream and tells the node why. */
  readonly end: (reason: string) => void;
}

/**
 * A node: with its streams while it has any, the newest last, later with the little that is worth remembering of it. It has
 * one, and a second while an upgrade replaces its processes: what either of them does not hold the node does not hold.
 */
type KnownNode =
  | { readonly kind: "connected"; readonly sinceMs: number; readonly connections: readonly NodeConnection[] }
  | { readonly kind: "gone"; readonly sinceMs: number; readonly last: NodeState };

/** What a node has accepted. */
interface NodeState {
  readonly address: string;
  readonly held: string;
  readonly types: readonly TypeStatus[];
  /** Version of the trust bundle. */
  readonly bundle: string | undefined;
}

const NOTHING: NodeState = { address: "", held: "", types: [], bundle: undefined };

/** Nodes that went away are remembered, so that somebody can see that they did; up to a number, the longest gone first out. */
const MAX_NODES = 5_000;
/** The processes that serve a node, and those that they take the place of. */
const MAX_STREAMS = 2;

const NONE: ReadonlySet<string> = new Set();

/** The nodes of the mesh: those with a stream, and those that had one. */
export class NodeRegistry {
  readonly #nodes = new Map<string, KnownNode>();
  readonly #trustDomain: TrustDomain;
  readonly #clock: Pick<Clock, "now">;
  readonly #startedMs: number;

  constructor(trustDomain: TrustDomain, clock: Pick<Clock, "now">) {
    this.#trustDomain = trustDomain;
    this.#clock = clock;
    this.#startedMs = clock.now();
  }

  /**
   * A set of processes has one stream: an older one is likely dead without anybody having noticed, and is ended. So are those
   * of more sets than a node can have.
   */
  connect(connection: NodeConnection): void {
    const { node } = connection.stream;
    const before = this.#nodes.get(node);
    const others = before?.kind === "connected" ? before.connections : [];
    const kept = others.filter(({ instance }) => instance !== connection.instance).slice(-(MAX_STREAMS - 1));
    // Taken out first, so that the map is in the order of the last change.
    this.#nodes.delete(node);
    const connections = [...kept, connection];
    this.#nodes.set(node, { kind: "connected", sinceMs: this.#clock.now(), connections });
    for (const other of others) if (!kept.includes(other)) other.end("replaced by a newer stream of this node");
    this.#forgetSome();
  }

  /** @returns false if the node has another stream */
  disconnect(connection: NodeConnection): boolean {
    const { node } = connection.stream;
    const known = this.#nodes.get(node);
    if (known?.kind !== "connected" || !known.connections.includes(connection)) return false;
    const connections = known.connections.filter((each) => each !== connection);
    if (connections.length > 0) {
      this.#nodes.set(node, { ...known, connections });
      return false;
    }
    this.#nodes.delete(node);
    this.#nodes.set(node, { kind: "gone", sinceMs: this.#clock.now(), last: this.#stateOf(connection) });
    return true;
  }

  connected(): readonly NodeConnection[] {
    return [...this.#nodes.values()].flatMap((known) => (known.kind === "connected" ? known.connections : []));
  }

  statuses(catalog: Catalog): readonly NodeStatus[] {
    return [...this.#nodes]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([node, known]) => {
        const wanted = catalog.wanted(node);
        const states = this.#statesOf(known);
        const { address, held, types } = states.find((state) => state.held !== wanted) ?? states.at(-1) ?? NOTHING;
        const since = new Date(known.sinceMs).toISOString();
        return {
          node,
          connected: known.kind === "connected",
          since,
          address,
          wanted,
          held,
          types,
        };
      });
  }

  /**
   * Which roots each node trusts, by the last bundle it accepted: of two streams what both did.
   * @param expected nodes that should be there; of one that has not come since the start it is not known what it trusts
   */
  trust(roots: KnownRoots, expected: Iterable<string>): readonly NodeTrust[] {
    const seen = Array.from(this.#nodes, ([node, known]) => ({
      node,
      roots: this.#statesOf(known)
        .map(({ bundle }) => roots.rootsOf(bundle))
        .reduce((all, each) => all.intersection(each)),
      disconnectedSince: known.kind === "gone" ? known.sinceMs : undefined,
    }));
    const missing = [...expected].filter((node) => !this.#nodes.has(node));
    return [...seen, ...missing.map((node) => ({ node, roots: NONE, disconnectedSince: this.#startedMs }))];
  }

  #statesOf(known: KnownNode): readonly NodeState[] {
    return known.kind === "gone" ? [known.last] : known.connections.map((connection) => this.#stateOf(connection));
  }

  #stateOf({ stream, address }: NodeConnection): NodeState {
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
