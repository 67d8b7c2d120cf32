import type { RootId } from "./rotation.ts";

/** A leaf that was issued. */
export interface LedgerEntry {
  /** The root above it. */
  readonly root: RootId;
  /** The node that it was issued for. */
  readonly node: string;
  /**
   * The one place that uses it and forgets what it had before under the same name. Undefined where nobody can tell: the
   * leaf then counts as used until it ends.
   */
  readonly holder: string | undefined;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
}

type Use = Pick<LedgerEntry, "node" | "notAfter">;

/** Knows under which roots leaves are still in use, so that an old root can go when nobody needs it any more. */
export class LeafLedger {
  readonly #uses = new Map<RootId, Map<string, Use>>();

  /** A holder that gets a leaf under one root no longer uses what it had under another. */
  record({ root, node, holder, notAfter }: LedgerEntry): void {
    const key = holder === undefined ? `node ${node}` : `holder ${holder}`;
    if (holder !== undefined) for (const uses of this.#uses.values()) uses.delete(key);
    const uses = this.#uses.get(root) ?? new Map<string, Use>();
    this.#uses.set(root, uses);
    uses.set(key, { node, notAfter: Math.max(notAfter, uses.get(key)?.notAfter ?? 0) });
  }

  /** Leaves that were issued before this ledger began, of which only the latest end is known. */
  assume(root: RootId, until: number): void {
    this.#uses.set(root, new Map([["unknown", { node: "", notAfter: until }]]));
  }

  isUnused(root: RootId, now: number): boolean {
    this.#forgetEnded(now);
    return (this.#uses.get(root)?.size ?? 0) === 0;
  }

  /** The nodes that are known to use leaves under a root, in order. */
  nodesUnder(root: RootId, now: number): readonly string[] {
    this.#forgetEnded(now);
    const nodes = new Set([...(this.#uses.get(root)?.values() ?? [])].map(({ node }) => node));
    return [...nodes].filter((node) => node !== "").toSorted();
  }

  #forgetEnded(now: number): void {
    for (const uses of this.#uses.values()) {
      for (const [key, { notAfter }] of uses) if (notAfter <= now) uses.delete(key);
    }
  }
}
