import { hash, type KeyObject } from "node:crypto";

import { err, ok, type Result } from "#mesh/result.ts";
import type { SpiffeId, TrustDomain } from "#mesh/spiffe-id.ts";

import { OIDS } from "../x509/asn1/object-identifiers.ts";
import { type CertificateFacts, fingerprintOf, parseCertificate } from "../x509/certificate.ts";
import { signCertificate, type Validity } from "../x509/certificate-template.ts";
import {
  authorityKeyIdentifier,
  basicConstraints,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  subjectAltNames,
  subjectKeyIdentifier,
} from "../x509/extensions.ts";
import { formatTime } from "../x509/format-time.ts";
import { exportPublicKey, generateKeyPair } from "../x509/key-pair.ts";
import { authorityName, EMPTY_NAME } from "../x509/name.ts";

/** A certificate that signs others. */
export interface Authority {
  /** DER. */
  readonly certificate: Uint8Array;
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprint: string;
  readonly facts: CertificateFacts;
}

/** An authority whose key is at hand. */
export interface SigningAuthority extends Authority {
  readonly key: KeyObject;
}

/** What making a certificate needs from outside. */
export interface Surroundings {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Unpredictable bytes, as from `crypto.randomBytes`. */
  readonly random: (size: number) => Uint8Array;
}

export interface LeafRequest {
  readonly id: SpiffeId;
  readonly publicKey: KeyObject;
  readonly lifetimeMs: number;
  /** Only for a server that is called by clients outside the mesh: the control plane's. */
  readonly dnsNames?: readonly string[];
}

const DAY_MS = 24 * 3_600_000;

/** Replacing a root needs an operator and every node; so rarely. */
export const ROOT_LIFETIME_MS = 3650 * DAY_MS;
/**
 * Replaced at half of it by itself. Half a year is left to notice that this fails (the root's key is kept elsewhere, the
 * disk is full) before leaves get shorter than asked; and a stolen key is worth a year at most, not ten.
 */
export const ISSUING_LIFETIME_MS = 365 * DAY_MS;
export const LEAF_LIFETIME_MS = DAY_MS;

/** How far the clocks of a signer and a reader may be apart: certificates start this much in the past. */
export const CLOCK_SKEW_MS = 2 * 60_000;

/** Makes a self-signed root for a trust domain, with a new key. Only issuing CAs may be signed under it, none deeper. */
export const createRoot = (
  trustDomain: TrustDomain,
  surroundings: Surroundings,
  lifetimeMs: number = ROOT_LIFETIME_MS,
): SigningAuthority => {
  const keys = generateKeyPair();
  const publicKey = exportPublicKey(keys.publicKey);
  const serial = randomSerial(surroundings.random);
  const name = authorityName(trustDomain, `Heddle root ${label(serial)}`);
  const template = {
    serial,
    issuer: name,
    subject: name,
    validity: validityOf(surroundings.now, lifetimeMs),
    publicKey,
    extensions: authorityExtensions(trustDomain, publicKey, 1),
  };
  return signingAuthority(signCertificate(template, keys.privateKey), keys.privateKey);
};

/**
 * Makes a CA under a root, with a new key, that signs leaves only. It never outlives the root.
 * @returns the CA, or that the root has expired
 */
export const createIssuing = (
  root: SigningAuthority,
  trustDomain: TrustDomain,
  surroundings: Surroundings,
  lifetimeMs: number = ISSUING_LIFETIME_MS,
): Result<SigningAuthority, string> => {
  const validity = validityUnder(root, surroundings.now, lifetimeMs);
  if (!validity.ok) return validity;
  const keys = generateKeyPair();
  const publicKey = exportPublicKey(keys.publicKey);
  const serial = randomSerial(surroundings.random);
  const template = {
    serial,
    issuer: root.facts.subject,
    subject: authorityName(trustDomain, `Heddle issuing CA ${label(serial)}`),
    validity: validity.value,
    publicKey,
    extensions: [...authorityExtensions(trustDomain, publicKey, 0), authorityKeyIdentifier(keyIdentifierOf(root))],
  };
  return ok(signingAuthority(signCertificate(template, root.key), keys.privateKey));
};

/**
 * Signs a leaf: an X.509-SVID with an empty subject and a critical SAN of one URI, valid from {@link CLOCK_SKEW_MS} ago to
 * `lifetimeMs` from now, or to the end of its issuer if that is sooner.
 * @returns the certificate, DER; or that the issuer has expired
 */
export const issueLeaf = (
  issuing: SigningAuthority,
  { id, publicKey, lifetimeMs, dnsNames = [] }: LeafRequest,
  { now, random }: Surroundings,
): Result<Uint8Array, string> => {
  const validity = validityUnder(issuing, now, lifetimeMs);
  if (!validity.ok) return validity;
  const spki = exportPublicKey(publicKey);
  const names = [{ kind: "uri", value: id } as const, ...dnsNames.map((value) => ({ kind: "dns", value }) as const)];
  const template = {
    serial: randomSerial(random),
    issuer: issuing.facts.subject,
    subject: EMPTY_NAME,
    validity: validity.value,
    publicKey: spki,
    extensions: [
      keyUsage("digitalSignature"),
      extendedKeyUsage(OIDS.serverAuth, OIDS.clientAuth),
      basicConstraints({ ca: false, pathLength: undefined }),
      subjectKeyIdentifier(keyIdentifier(spki)),
      authorityKeyIdentifier(keyIdentifierOf(issuing)),
      subjectAltNames(names, true),
    ],
  };
  return ok(signCertificate(template, issuing.key));
};

/** An authority from its certificate (DER), or what is malformed about it. */
export const authorityOf = (certificate: Uint8Array): Result<Authority, string> => {
  const facts = parseCertificate(certificate);
  return facts.ok ? ok({ certificate, fingerprint: fingerprintOf(certificate), facts: facts.value }) : facts;
};

const signingAuthority = (certificate: Uint8Array, key: KeyObject): SigningAuthority => {
  const made = authorityOf(certificate);
  if (!made.ok) throw new Error(`made a certificate that cannot be read: ${made.error}`);
  return { ...made.value, key };
};

const validityOf = (now: number, lifetimeMs: number): Validity => ({
  notBefore: now - CLOCK_SKEW_MS,
  notAfter: now + lifetimeMs,
});

const validityUnder = (issuer: Authority, now: number, lifetimeMs: number): Result<Validity, string> => {
  const { notBefore, notAfter } = validityOf(now, lifetimeMs);
  return now < issuer.facts.notAfter
    ? ok({ notBefore, notAfter: Math.min(notAfter, issuer.facts.notAfter) })
    : err(`the signing certificate ${issuer.fingerprint.slice(0, 16)} expired at ${formatTime(issuer.facts.notAfter)}`);
};

/** The URI without a path is what SPIFFE lets a signing certificate have; it never authenticates (X509-SVID section 3). */
const authorityExtensions = (
  trustDomain: TrustDomain,
  publicKey: Uint8Array,
  pathLength: number,
): readonly Extension[] => [
  basicConstraints({ ca: true, pathLength }),
  keyUsage("keyCertSign", "cRLSign"),
  subjectKeyIdentifier(keyIdentifier(publicKey)),
  subjectAltNames([{ kind: "uri", value: `spiffe://${trustDomain}` }], false),
];

/** 126 random bits in exactly 16 bytes: positive, and without a leading zero byte (RFC 5280 section 4.1.2.2). */
const randomSerial = (random: Surroundings["random"]): Uint8Array => {
  const serial = Uint8Array.from(random(16));
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  return serial;
};

/** Authorities of one trust domain differ in their names, so that a chain can be built in one way only. */
const label = (serial: Uint8Array): string => Buffer.from(serial.subarray(0, 4)).toString("hex");

const keyIdentifierOf = ({ facts }: Authority): Uint8Array =>
  facts.subjectKeyIdentifier ?? keyIdentifier(facts.publicKey);

/** The first 160 bits of a SHA-256 over the key (in the manner of RFC 7093 section 2). */
const keyIdentifier = (spki: Uint8Array): Uint8Array => hash("sha256", spki, "buffer").subarray(0, 20);
