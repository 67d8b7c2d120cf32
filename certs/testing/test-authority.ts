import { randomBytes } from "node:crypto";

import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain, type SpiffeId, spiffeIdOf, type TrustDomain } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

import { createIssuing, createRoot, issueLeaf, LEAF_LIFETIME_MS, type SigningAuthority } from "../issue/authority.ts";
import { type Credentials, credentialsOf } from "../verify/credentials.ts";
import { generateKeyPair } from "../x509/key-pair.ts";

/** A root and an issuing CA in memory, for tests of whatever needs identities. */
export interface TestAuthority {
  readonly trustDomain: TrustDomain;
  readonly root: SigningAuthority;
  readonly issuing: SigningAuthority;
  readonly bundle: TrustBundle;
  /** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` of a name like `shop/web`. */
  id(name: string): SpiffeId;
  /** A new key with a leaf and the issuing CA, for a name like `shop/web`. */
  credentials(name: string, options?: LeafOptions): Credentials;
}

interface LeafOptions {
  /** When it was issued; now by default. */
  readonly at?: number;
  readonly lifetimeMs?: number;
  readonly dnsNames?: readonly string[];
}

export const testAuthority = (trustDomainText = "cluster.local", now = Date.now()): TestAuthority => {
  const trustDomain = unwrap(parseTrustDomain(trustDomainText));
  const surroundings = { now, random: randomBytes };
  const root = createRoot(trustDomain, surroundings);
  const issuing = unwrap(createIssuing(root, trustDomain, surroundings));
  const id = (name: string): SpiffeId => {
    const [namespace = "", serviceAccount = ""] = name.split("/");
    return spiffeIdOf({ trustDomain, namespace, serviceAccount });
  };
  return {
    trustDomain,
    root,
    issuing,
    bundle: { trustDomain, roots: [root.certificate] },
    id,
    credentials: (name, { at = now, lifetimeMs = LEAF_LIFETIME_MS, dnsNames = [] } = {}) => {
      const keys = generateKeyPair();
      const request = { id: id(name), publicKey: keys.publicKey, lifetimeMs, dnsNames };
      const leaf = unwrap(issueLeaf(issuing, request, { now: at, random: randomBytes }));
      return unwrap(credentialsOf(keys.privateKey, [leaf, issuing.certificate]));
    },
  };
};
