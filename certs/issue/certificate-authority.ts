import type { KeyObject } from "node:crypto";

import type { Clock } from "#mesh/clock.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { type SpiffeId, type TrustDomain, trustDomainOf } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

import { issueLeaf, LEAF_LIFETIME_MS, type Surroundings } from "./authority.ts";
import {
  type AuthoritySet,
  bundleOf,
  firstAuthoritySet,
  issuingAuthority,
  rootOf,
  withAnnouncedRoot,
  withNewIssuing,
  withRotation,
} from "./authority-set.ts";
import { loadAuthoritySet, saveAuthoritySet } from "./authority-store.ts";
import { formatTime } from "../x509/format-time.ts";
import { LeafLedger } from "./leaf-ledger.ts";
import { renewalTime } from "./renewal.ts";
import {
  DEFAULT_PACE,
  dueEvent,
  type NodeTrust,
  type RotationEvent,
  type RotationPace,
  type RotationView,
  transition,
} from "./rotation.ts";

export interface AuthoritySettings {
  /** Where keys and state are kept; made on the first start. */
  readonly directory: string;
  readonly trustDomain: TrustDomain;
  /** The longest lifetime of a leaf, and that of one for which none is asked. 24 h by default. */
  readonly leafLifetimeMs?: number;
  readonly pace?: RotationPace;
  readonly clock: Pick<Clock, "now">;
  /** As `crypto.randomBytes`. */
  readonly random: Surroundings["random"];
  /** Called with the new bundle after each change of it. */
  readonly onBundle?: (bundle: TrustBundle) => void;
}

/** What is to be signed. Whether the asker may have it was judged before. */
export interface LeafOrder {
  readonly id: SpiffeId;
  readonly publicKey: KeyObject;
  /** 0 or undefined: no wish. */
  readonly lifetimeMs?: number;
  /** The node that asks. */
  readonly node: string;
  /**
   * The one place that will use this leaf instead of the last that was issued to the same holder, as node, worker and
   * identity. Undefined where that is not known: an old root then waits for the end of the leaf.
   */
  readonly holder?: string;
  readonly dnsNames?: readonly string[];
}

/** What happened in {@link CertificateAuthority.advance}; each is worth a line in the log. */
export type AuthorityChange =
  | { readonly kind: "issuing-replaced"; readonly fingerprint: string }
  | { readonly kind: "root-signing"; readonly fingerprint: string }
  | { readonly kind: "root-dropped"; readonly fingerprint: string };

/** A node that was away for more rotations than this has no connections left. */
const MAX_RETIRED = 4;

/**
 * The certificate authority of a trust domain: roots, issuing CA, and their rotation, kept in a directory. Every change is
 * on disk before it takes effect.
 */
export class CertificateAuthority {
  readonly #settings: AuthoritySettings;
  readonly #ledger = new LeafLedger();
  #watchingSince: number;
  /** Roots that left in order, the last few: see {@link TrustBundle}. Not kept over a restart; nodes have heard of it by then. */
  #retired: readonly string[] = [];
  /** For the root that is announced now. */
  readonly #leftBehind = new Set<string>();
  #set: AuthoritySet;
  #bundle: TrustBundle;

  private constructor(settings: AuthoritySettings, set: AuthoritySet) {
    const now = settings.clock.now();
    this.#settings = settings;
    this.#watchingSince = now;
    this.#set = set;
    this.#bundle = bundleOf(set);
    const { signing, retiring } = set.rotation;
    if (signing.longestLeafMs > 0) this.#ledger.assume(signing.root, now + signing.longestLeafMs);
    for (const { root, until } of retiring) this.#ledger.assume(root, until);
  }

  /** Reads the directory, or begins a trust domain where there is none. @returns the authority, or what to do about the files */
  static open(settings: AuthoritySettings): Result<CertificateAuthority, string> {
    const loaded = loadAuthoritySet(settings.directory, settings.trustDomain);
    if (!loaded.ok) return loaded;
    if (loaded.value) return ok(new CertificateAuthority(settings, loaded.value));
    const first = firstAuthoritySet(settings.trustDomain, surroundingsOf(settings));
    if (!first.ok) return first;
    const saved = saveAuthoritySet(settings.directory, first.value);
    return saved.ok ? ok(new CertificateAuthority(settings, first.value)) : saved;
  }

  /** All trusted roots; the same value until it changes. */
  get bundle(): TrustBundle {
    return this.#bundle;
  }

  /** What there is, for reports. */
  get set(): AuthoritySet {
    return this.#set;
  }

  /** Signs a leaf. @returns the chain to present, DER, leaf first, without the root; or why nothing can be signed */
  issue(order: LeafOrder): Result<readonly Uint8Array[], string> {
    const { trustDomain, leafLifetimeMs = LEAF_LIFETIME_MS } = this.#settings;
    if (trustDomainOf(order.id) !== trustDomain) return err(`${order.id} is not of trust domain ${trustDomain}`);
    const lifetimeMs = Math.min(order.lifetimeMs || leafLifetimeMs, leafLifetimeMs);
    const lent = this.#lend(leafLifetimeMs);
    if (!lent.ok) return lent;
    const surroundings = surroundingsOf(this.#settings);
    const issuing = issuingAuthority(this.#set);
    const { notBefore } = issuing.facts;
    if (surroundings.now < notBefore) {
      const times = `is valid from ${formatTime(notBefore)}, and here it is ${formatTime(surroundings.now)}`;
      return err(`the issuing CA ${times}: set the clock; or, if it was ahead when the CA was made, rotate the root`);
    }
    const leaf = issueLeaf(issuing, { ...order, lifetimeMs }, surroundings);
    if (!leaf.ok) return leaf;
    this.#ledger.record({
      ...order,
      holder: order.holder,
      root: issuing.root,
      notAfter: surroundings.now + lifetimeMs,
    });
    return ok([leaf.value, issuing.certificate]);
  }

  /**
   * Takes the steps that are due: an announced root signs, an old one is dropped, an issuing CA past its half-life is
   * replaced. To be called every few seconds, and when a node has acknowledged a bundle.
   * @param nodes all nodes that are connected, or were, or should be
   */
  advance(nodes: readonly NodeTrust[]): Result<readonly AuthorityChange[], string> {
    const changes: AuthorityChange[] = [];
    for (let event = this.#dueEvent(nodes); event; event = this.#dueEvent(nodes)) {
      const applied = event.kind === "drop" ? this.#drop(event.root, "in-order") : this.#apply(event);
      if (!applied.ok) return applied;
      const { signing } = this.#set.rotation;
      changes.push(
        event.kind === "drop"
          ? { kind: "root-dropped", fingerprint: event.root }
          : { kind: "root-signing", fingerprint: signing.root },
      );
    }
    if (!this.#issuingIsDue()) return ok(changes);
    const replaced = this.rotateIssuing();
    return replaced.ok ? ok([...changes, { kind: "issuing-replaced", fingerprint: replaced.value }]) : replaced;
  }

  /** Replaces the issuing CA at once; no node needs to know. @returns the new one's fingerprint */
  rotateIssuing(): Result<string, string> {
    const replaced = this.#replace(withNewIssuing(this.#set, surroundingsOf(this.#settings)));
    return replaced.ok ? ok(issuingAuthority(this.#set).fingerprint) : replaced;
  }

  /** Announces a new root; {@link advance} does the rest. @returns its fingerprint, or that one is announced already */
  rotateRoot(): Result<string, string> {
    const replaced = this.#replace(withAnnouncedRoot(this.#set, surroundingsOf(this.#settings)));
    return replaced.ok ? ok(this.#set.rotation.announced?.root ?? "") : replaced;
  }

  /** Withdraws a root that was announced and has not signed. */
  cancelRootRotation(): Result<undefined, string> {
    return this.#apply({ kind: "cancel" });
  }

  /** Has an announced root sign without waiting for a node any longer. Forgotten with the announcement, and at a restart. */
  leaveBehind(node: string): Result<undefined, string> {
    if (!this.#set.rotation.announced) return err("no root is announced, and no node is waited for");
    this.#leftBehind.add(node);
    return ok(undefined);
  }

  /**
   * Stops trusting a retiring root before its time.
   * @param id SHA-256, or its beginning
   * @param evenIfUsed for a key that is in other hands: whoever still has a certificate under it is cut off until the next
   * @returns the root's full id; or why it stays
   */
  dropRoot(id: string, evenIfUsed: boolean): Result<string, string> {
    const found = this.#set.roots.filter(({ fingerprint }) => fingerprint.startsWith(id.toLowerCase()));
    const [root] = found;
    if (!root || found.length > 1) return err(`${root ? "several roots begin" : "no trusted root begins"} with ${id}`);
    const { fingerprint } = root;
    const { signing, announced } = this.#set.rotation;
    if (fingerprint === signing.root) return err("it is the root that signs: rotate the root first");
    if (fingerprint === announced?.root)
      return err("it is announced and has signed nothing: cancel the rotation instead");
    if (!evenIfUsed && !this.#ledger.isUnused(fingerprint, this.#settings.clock.now())) {
      const nodes =
        this.nodesUnder(fingerprint).join(", ") || "nodes that have not asked since the control plane started";
      return err(`certificates under it may still be held by: ${nodes}`);
    }
    const dropped = this.#drop(fingerprint, evenIfUsed ? "for-safety" : "in-order");
    return dropped.ok ? ok(fingerprint) : dropped;
  }

  /** What a rotation depends on, as it is now. */
  view(nodes: readonly NodeTrust[]): RotationView {
    const now = this.#settings.clock.now();
    // The clock was set back: nobody has been watching since a time that is to come.
    this.#watchingSince = Math.min(this.#watchingSince, now);
    return {
      now,
      watchingSince: this.#watchingSince,
      nodes,
      leftBehind: this.#leftBehind,
      pace: this.#settings.pace ?? DEFAULT_PACE,
      isUnused: (root) => this.#ledger.isUnused(root, now),
    };
  }

  /** The nodes that are known to use leaves under a root. After a restart only those that asked since. */
  nodesUnder(root: string): readonly string[] {
    return this.#ledger.nodesUnder(root, this.#settings.clock.now());
  }

  /** One that leaves in order ends no connection. */
  #drop(root: string, how: "in-order" | "for-safety"): Result<undefined, string> {
    const before = this.#retired;
    if (how === "in-order") this.#retired = [...before.filter((each) => each !== root), root].slice(-MAX_RETIRED);
    const dropped = this.#apply({ kind: "drop", root });
    if (!dropped.ok) this.#retired = before;
    return dropped;
  }

  #dueEvent(nodes: readonly NodeTrust[]): RotationEvent | undefined {
    return dueEvent(this.#set.rotation, this.view(nodes));
  }

  /** While the root's key is kept elsewhere the issuing CA serves to its end; the report warns. */
  #issuingIsDue(): boolean {
    const { facts } = issuingAuthority(this.#set);
    const halfLife = renewalTime({ from: facts.notBefore, until: facts.notAfter }, () => 0.5);
    const root = rootOf(this.#set, this.#set.rotation.signing.root);
    const now = this.#settings.clock.now();
    // One that was made while the clock was ahead signs nothing that anybody accepts.
    const isOfTheFuture = now < facts.notBefore && now >= root.facts.notBefore;
    return root.key !== undefined && (now >= halfLife || isOfTheFuture);
  }

  /**
   * The longest lifetime is on disk before a leaf has it: after a crash an old root must not be dropped too early. It is the
   * configured one from the first leaf on, so that no sequence of wishes makes a sequence of writes.
   */
  #lend(lifetimeMs: number): Result<undefined, string> {
    const known = this.#set.rotation.signing.longestLeafMs;
    return lifetimeMs > known ? this.#apply({ kind: "lend", lifetimeMs }) : ok(undefined);
  }

  #apply(event: RotationEvent): Result<undefined, string> {
    const rotation = transition(this.#set.rotation, event);
    return rotation.ok ? this.#replace(ok(withRotation(this.#set, rotation.value))) : rotation;
  }

  #replace(next: Result<AuthoritySet, string>): Result<undefined, string> {
    if (!next.ok) return next;
    const saved = saveAuthoritySet(this.#settings.directory, next.value);
    if (!saved.ok) return saved;
    const before = this.#set;
    this.#set = next.value;
    if (!next.value.rotation.announced) this.#leftBehind.clear();
    if (
      before.roots.map(({ fingerprint }) => fingerprint).join() !== next.value.roots.map((r) => r.fingerprint).join()
    ) {
      const bundle = bundleOf(next.value);
      this.#bundle = this.#retired.length > 0 ? { ...bundle, retired: this.#retired } : bundle;
      this.#settings.onBundle?.(this.#bundle);
    }
    return ok(undefined);
  }
}

const surroundingsOf = ({ clock, random }: AuthoritySettings): Surroundings => ({ now: clock.now(), random });
