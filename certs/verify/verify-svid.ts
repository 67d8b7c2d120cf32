import { type KeyObject, X509Certificate } from "node:crypto";

import { err, ok, type Result } from "#mesh/result.ts";
import { trustDomainOf } from "#mesh/spiffe-id.ts";
import type { TrustBundle } from "#mesh/trust-bundle.ts";

import { type CertificateFacts, parseCertificate } from "../x509/certificate.ts";
import { formatTime } from "../x509/format-time.ts";
import { algorithmProblem, extensionProblem, inspectLeaf, type Leaf, purposeProblem } from "./leaf-inspection.ts";
import { type Refusal, refusal, refuse } from "./refusal.ts";

/** Leaf, issuing CA, and two more for a peer whose operator put CAs between. */
const MAX_CHAIN_LENGTH = 4;
const MIN_RSA_BITS = 2048;
const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);

/**
 * Verifies a chain where no TLS handshake does: the leaf as an X.509-SVID, each certificate signed by the next, the last by
 * a root of the bundle, all valid now (RFC 5280 section 6, without policies and name constraints, which are refused).
 * @param chain DER, leaf first; the root may be left out or come last
 * @param bundle must be the one of the identity's own trust domain; an identity of another is refused
 * @param now milliseconds since 1970
 */
export const verifySvid = (chain: readonly Uint8Array[], bundle: TrustBundle, now: number): Result<Leaf, Refusal> => {
  const [leafDer] = chain;
  if (!leafDer) return refuse("no-certificate", "the chain is empty");
  const leaf = inspectLeaf(leafDer);
  if (!leaf.ok) return leaf;
  if (trustDomainOf(leaf.value.id) !== bundle.trustDomain) {
    return refuse("foreign-trust-domain", `${leaf.value.id} is not of trust domain ${bundle.trustDomain}`);
  }
  const path = verifyPath(chain, bundle.roots, now);
  return path.ok ? leaf : path;
};

/**
 * Verifies each signature from the first certificate to one of the roots, and that every certificate may stand where it
 * does. Says nothing about what the first certificate is for.
 */
export const verifyPath = (
  chain: readonly Uint8Array[],
  roots: readonly Uint8Array[],
  now: number,
): Result<undefined, Refusal> => {
  if (chain.length > MAX_CHAIN_LENGTH + 1) return refuse("invalid-chain", `a chain of ${chain.length} certificates`);
  const links = readAll(withoutRoot(chain, roots));
  if (!links.ok) return links;
  const anchors = readAll(roots);
  if (!anchors.ok) return anchors;
  for (const [index, link] of links.value.entries()) {
    const above = links.value[index + 1];
    const issuer = above ? (hasSigned(above, link) ? above : undefined) : anchors.value.find((a) => hasSigned(a, link));
    if (!issuer) return refuse("untrusted-issuer", untrusted(index, above !== undefined));
    const problem = linkProblem(link, now) ?? authorityProblem(issuer, index);
    if (problem) return err(problem);
    if (!above) return finish(linkProblem(issuer, now));
  }
  return refuse("invalid-chain", "the chain is empty");
};

/** A certificate as we read it and as OpenSSL does. */
interface Link {
  readonly facts: CertificateFacts;
  readonly x509: X509Certificate;
  readonly publicKey: KeyObject;
}

const finish = (problem: Refusal | undefined): Result<undefined, Refusal> => (problem ? err(problem) : ok(undefined));

const readAll = (certificates: readonly Uint8Array[]): Result<readonly Link[], Refusal> => {
  const links: Link[] = [];
  for (const der of certificates) {
    const facts = parseCertificate(der);
    if (!facts.ok) return refuse("malformed-certificate", facts.error);
    const parsed = parseX509(der);
    if (!parsed) return refuse("malformed-certificate", "OpenSSL cannot read a certificate of the chain");
    links.push({ facts: facts.value, ...parsed });
  }
  return ok(links);
};

const parseX509 = (der: Uint8Array): Omit<Link, "facts"> | undefined => {
  try {
    const x509 = new X509Certificate(Buffer.from(der.buffer, der.byteOffset, der.byteLength));
    return { x509, publicKey: x509.publicKey };
  } catch {
    return undefined;
  }
};

const withoutRoot = (chain: readonly Uint8Array[], roots: readonly Uint8Array[]): readonly Uint8Array[] => {
  const last = chain.at(-1);
  const endsWithRoot = last !== undefined && chain.length > 1 && roots.some((root) => Buffer.compare(root, last) === 0);
  return endsWithRoot ? chain.slice(0, -1) : chain;
};

const hasSigned = (issuer: Link, subject: Link): boolean => {
  try {
    return subject.x509.checkIssued(issuer.x509) && subject.x509.verify(issuer.publicKey);
  } catch {
    return false;
  }
};

const untrusted = (index: number, hasNext: boolean): string =>
  hasNext
    ? `certificate ${index} of the chain is not signed by the next`
    : "the last certificate of the chain is signed by no trusted root";

const linkProblem = ({ facts, publicKey }: Link, now: number): Refusal | undefined => {
  if (now >= facts.notAfter) {
    const times = `expired at ${formatTime(facts.notAfter)}, and here it is ${formatTime(now)}`;
    return refusal("certificate-expired", `${times}: compare the clocks`);
  }
  if (now < facts.notBefore) {
    const times = `valid from ${formatTime(facts.notBefore)}, and here it is ${formatTime(now)}`;
    return refusal("certificate-not-yet-valid", `${times}: compare the clocks`);
  }
  return algorithmProblem(facts) ?? extensionProblem(facts) ?? keyProblem(publicKey);
};

/** @param below how many CA certificates are between this one and the leaf */
const authorityProblem = ({ facts }: Link, below: number): Refusal | undefined => {
  if (!facts.basicConstraints?.ca) return refusal("invalid-chain", "a certificate that is no CA signed another");
  if (!facts.keyUsage?.value.has("keyCertSign")) return refusal("invalid-chain", "a CA may not sign certificates");
  const { pathLength = Infinity } = facts.basicConstraints;
  if (below > pathLength) return refusal("invalid-chain", `${below} CAs below one that allows ${pathLength}`);
  return purposeProblem(facts);
};

const keyProblem = ({ asymmetricKeyType: type, asymmetricKeyDetails }: KeyObject): Refusal | undefined => {
  const { namedCurve = "", modulusLength = 0 } = asymmetricKeyDetails ?? {};
  const isStrong =
    type === "ed25519" ||
    (type === "ec" && CURVES.has(namedCurve)) ||
    (type === "rsa" && modulusLength >= MIN_RSA_BITS);
  return isStrong ? undefined : refusal("weak-algorithm", `a key ${type} ${namedCurve || modulusLength}`);
};
