import { X509Certificate } from "node:crypto";

import type { TrustBundle } from "#mesh/trust-bundle.ts";

/** Longer than any chain that a handshake accepts; and an end where a certificate is its own issuer. */
const MAX_STEPS = 10;

/** Roots of a bundle, read once. */
export type ParsedRoots = readonly X509Certificate[];

export const parseRoots = ({ roots }: TrustBundle): ParsedRoots =>
  roots.map((der) => new X509Certificate(Buffer.from(der)));

/**
 * Whether one of these roots still stands above a peer, for connections that outlive a change of the trust bundle. The chain
 * was accepted at the handshake, with the roots of that time; here every signature on the way up is checked again, because the
 * order in which TLS hands over a peer's certificates was the peer's choice. Times and purposes are not: a clock that is set
 * must not end what runs.
 * @param leaf of `getPeerX509Certificate()`, with its issuers
 */
export const hasTrustedRoot = (leaf: X509Certificate, roots: ParsedRoots): boolean => {
  let certificate = leaf;
  for (let step = 0; step < MAX_STEPS; step++) {
    if (roots.some((root) => isSame(root, certificate) || hasSigned(root, certificate))) return true;
    const issuer = certificate.issuerCertificate;
    if (!issuer || isSame(issuer, certificate) || !hasSigned(issuer, certificate)) return false;
    certificate = issuer;
  }
  return false;
};

const isSame = (one: X509Certificate, other: X509Certificate): boolean => Buffer.compare(one.raw, other.raw) === 0;

const hasSigned = (issuer: X509Certificate, subject: X509Certificate): boolean => {
  try {
    return subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
  } catch {
    return false;
  }
};
