import { ok, type Result } from "#mesh/result.ts";
import type { TrustDomain } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

import { type Authority, createIssuing, createRoot, type SigningAuthority, type Surroundings } from "./authority.ts";
import { firstRotationState, type RootId, type RotationState, transition, trustedRoots } from "./rotation.ts";

/** Everything that a trust domain's authority consists of: an immutable value, replaced whole and stored whole. */
export interface AuthoritySet {
  readonly trustDomain: TrustDomain;
  /** Every trusted root, the oldest first. */
  readonly roots: readonly TrustedRoot[];
  /** One under the root that signs, and one in waiting under a root that is announced. */
  readonly issuing: readonly IssuingAuthority[];
  readonly rotation: RotationState;
}

/** A root; its key is only needed to make the next issuing CA, and may be kept elsewhere until then. */
export interface TrustedRoot extends Authority {
  readonly key: SigningAuthority["key"] | undefined;
}

export interface IssuingAuthority extends SigningAuthority {
  readonly root: RootId;
}

/** A trust domain that begins: one root and an issuing CA. */
export const firstAuthoritySet = (
  trustDomain: TrustDomain,
  surroundings: Surroundings,
): Result<AuthoritySet, string> => {
  const root = createRoot(trustDomain, surroundings);
  const issuing = issuingUnder(root, trustDomain, surroundings);
  if (!issuing.ok) return issuing;
  return ok({ trustDomain, roots: [root], issuing: [issuing.value], rotation: firstRotationState(root.fingerprint) });
};

/** What peers are verified with. */
export const bundleOf = ({ trustDomain, roots }: AuthoritySet): TrustBundle => ({
  trustDomain,
  roots: roots.map(({ certificate }) => certificate),
});

/** The CA that signs leaves now. */
export const issuingAuthority = (set: AuthoritySet): IssuingAuthority => issuingOf(set, set.rotation.signing.root);

/** The root with this fingerprint. @throws Error if it is not of this set. */
export const rootOf = ({ roots }: AuthoritySet, id: RootId): TrustedRoot => {
  const root = roots.find(({ fingerprint }) => fingerprint === id);
  if (!root) throw new Error(`no root ${id}`);
  return root;
};

/** Adds a new root, trusted but not signing, with its issuing CA in waiting. */
export const withAnnouncedRoot = (set: AuthoritySet, surroundings: Surroundings): Result<AuthoritySet, string> => {
  const root = createRoot(set.trustDomain, surroundings);
  const rotation = transition(set.rotation, { kind: "announce", root: root.fingerprint, now: surroundings.now });
  if (!rotation.ok) return rotation;
  const issuing = issuingUnder(root, set.trustDomain, surroundings);
  if (!issuing.ok) return issuing;
  const { roots, issuing: others } = set;
  return ok({ ...set, roots: [...roots, root], issuing: [...others, issuing.value], rotation: rotation.value });
};

/** Replaces the issuing CA by a new one under the same root. */
export const withNewIssuing = (set: AuthoritySet, surroundings: Surroundings): Result<AuthoritySet, string> => {
  const { signing, announced } = set.rotation;
  const issuing = issuingUnder(rootOf(set, signing.root), set.trustDomain, surroundings);
  if (!issuing.ok) return issuing;
  const waiting = set.issuing.filter(({ root }) => root === announced?.root);
  return ok({ ...set, issuing: [issuing.value, ...waiting] });
};

/**
 * The set after a step of its rotation: roots that are no longer trusted are gone, and so are issuing CAs that no longer sign. A
 * root that retires loses its key, because nothing must be signed under it any more.
 */
export const withRotation = (set: AuthoritySet, rotation: RotationState): AuthoritySet => {
  const trusted = new Set(trustedRoots(rotation));
  const retiring = new Set(rotation.retiring.map(({ root }) => root));
  return {
    ...set,
    rotation,
    roots: set.roots
      .filter(({ fingerprint }) => trusted.has(fingerprint))
      .map((root) => (retiring.has(root.fingerprint) ? { ...root, key: undefined } : root)),
    issuing: set.issuing.filter(({ root }) => trusted.has(root) && !retiring.has(root)),
  };
};

const issuingOf = ({ issuing }: AuthoritySet, root: RootId): IssuingAuthority => {
  const found = issuing.find((candidate) => candidate.root === root);
  if (!found) throw new Error(`no issuing CA under root ${root}`);
  return found;
};

const issuingUnder = (
  root: TrustedRoot,
  trustDomain: TrustDomain,
  surroundings: Surroundings,
): Result<IssuingAuthority, string> => {
  const { key } = root;
  if (!key) return rootKeyElsewhere(root);
  const issuing = createIssuing({ ...root, key }, trustDomain, surroundings);
  return issuing.ok ? ok({ ...issuing.value, root: root.fingerprint }) : issuing;
};

const rootKeyElsewhere = ({ fingerprint }: TrustedRoot): Result<never, string> => ({
  ok: false,
  error: `the key of root ${fingerprint.slice(0, 16)} is kept elsewhere: bring it back to sign a new issuing CA, or rotate the root`,
});
