import { err, ok, type Result } from "#mesh/result.ts";
import { parseSpiffeId, type SpiffeId } from "#mesh/spiffe-id.ts";

import { formatOid, type Oid, OIDS } from "../x509/asn1/object-identifiers.ts";
import { type CertificateFacts, parseCertificate } from "../x509/certificate.ts";
import { type Refusal, refusal, refuse } from "./refusal.ts";

/** What a leaf certificate is good for, if its chain is. */
export interface Leaf {
  readonly id: SpiffeId;
  /** Milliseconds since 1970: a connection that rests on this certificate must not outlive it. */
  readonly notAfter: number;
  readonly facts: CertificateFacts;
}

/** Signature algorithms that are not broken. With RSA, the length of the key is for whoever verifies the signature. */
const SIGNATURE_ALGORITHMS: ReadonlySet<Oid> = new Set([
  OIDS.ecdsaWithSha256,
  OIDS.ecdsaWithSha384,
  OIDS.ecdsaWithSha512,
  OIDS.rsaWithSha256,
  OIDS.rsaWithSha384,
  OIDS.rsaWithSha512,
  OIDS.ed25519,
]);

/**
 * Whether a certificate is an X.509-SVID of a workload, and whose. Says nothing about who signed it or when it is valid:
 * OpenSSL does at a handshake, `verifySvid` elsewhere; Node takes each of the certificates refused here.
 *
 * Exactly one URI SAN, a workload's SPIFFE ID, critical where the subject is empty; no CA, digitalSignature and neither
 * keyCertSign nor cRLSign; no name constraints (X509-SVID sections 3 to 5.2). An extended key usage may be missing; one
 * that is there must name both serverAuth and clientAuth, whichever the peer now is: every leaf of a mesh is both.
 * DNS names and the common name give no identity.
 */
export const inspectLeaf = (der: Uint8Array): Result<Leaf, Refusal> => {
  const parsed = parseCertificate(der);
  if (!parsed.ok) return refuse("malformed-certificate", parsed.error);
  const problem = usageProblem(parsed.value) ?? algorithmProblem(parsed.value) ?? extensionProblem(parsed.value);
  if (problem) return err(problem);
  const id = identityIn(parsed.value);
  return id.ok ? ok({ id: id.value, notAfter: parsed.value.notAfter, facts: parsed.value }) : id;
};

/** A certificate is refused that nobody should rely on, leaf or CA. */
export const extensionProblem = ({ unknownCritical, hasNameConstraints }: CertificateFacts): Refusal | undefined => {
  const [unknown] = unknownCritical;
  if (unknown) return refusal("unsupported-extension", `the critical extension ${formatOid(unknown)} is unknown`);
  return hasNameConstraints ? refusal("unsupported-extension", "name constraints are not supported") : undefined;
};

export const algorithmProblem = ({ signatureAlgorithm }: CertificateFacts): Refusal | undefined =>
  SIGNATURE_ALGORITHMS.has(signatureAlgorithm)
    ? undefined
    : refusal("weak-algorithm", `signed with ${formatOid(signatureAlgorithm)}, which is not accepted`);

/** An extended key usage, where there is one, must allow both sides of a connection. */
export const purposeProblem = ({ extendedKeyUsage }: CertificateFacts): Refusal | undefined => {
  if (!extendedKeyUsage) return undefined;
  const allowsBoth = extendedKeyUsage.includes(OIDS.serverAuth) && extendedKeyUsage.includes(OIDS.clientAuth);
  return allowsBoth
    ? undefined
    : refusal("wrong-purpose", "the extended key usage does not name both serverAuth and clientAuth");
};

const usageProblem = (facts: CertificateFacts): Refusal | undefined => {
  if (facts.basicConstraints?.ca) return refusal("ca-certificate", "a CA certificate never authenticates a workload");
  const { keyUsage } = facts;
  if (!keyUsage?.critical) return refusal("wrong-key-usage", "there is no critical key usage");
  if (!keyUsage.value.has("digitalSignature")) {
    return refusal("wrong-key-usage", "the key usage does not name digitalSignature");
  }
  if (keyUsage.value.has("keyCertSign") || keyUsage.value.has("cRLSign")) {
    return refusal("wrong-key-usage", "the key usage of a leaf names keyCertSign or cRLSign");
  }
  return purposeProblem(facts);
};

const identityIn = ({ subjectAltNames, subjectIsEmpty }: CertificateFacts): Result<SpiffeId, Refusal> => {
  const [uri, ...others] = (subjectAltNames?.value ?? []).filter((name) => name.kind === "uri");
  if (!uri) return refuse("no-uri-san", "there is no URI among the subject alternative names");
  if (others.length > 0) return refuse("several-uri-sans", `${others.length + 1} URIs among the names, not one`);
  if (subjectIsEmpty && !subjectAltNames?.critical) {
    return refuse("san-not-critical", "the subject is empty and the subject alternative name is not critical");
  }
  const id = parseSpiffeId(uri.value);
  return id.ok ? id : refuse("invalid-spiffe-id", id.error);
};
