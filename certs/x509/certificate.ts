import type { Asn1 } from "node-forge/lib/asn1.js";
import { hash } from "node:crypto";

import type { Result } from "#mesh/result.ts";

import * as decode from "./asn1/decode.ts";
import { type Oid, OIDS } from "./asn1/object-identifiers.ts";
import {
  type BasicConstraints,
  type Extension,
  type GeneralName,
  type KeyUsage,
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readKeyUsage,
  readSubjectAltNames,
  readSubjectKeyIdentifier,
} from "./extensions.ts";

/** What an X.509 certificate says (RFC 5280 section 4.1). Nothing of it is verified. */
export interface CertificateFacts {
  /** Lower-case hex. */
  readonly serial: string;
  /** Name, DER. */
  readonly issuer: Uint8Array;
  /** Name, DER. */
  readonly subject: Uint8Array;
  readonly subjectIsEmpty: boolean;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  /** Milliseconds since 1970; the last second in which it is valid. */
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly signatureAlgorithm: Oid;
  /** Undefined where the extension is missing; so below. */
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: Marked<ReadonlySet<KeyUsage>> | undefined;
  readonly extendedKeyUsage: readonly Oid[] | undefined;
  readonly subjectAltNames: Marked<readonly GeneralName[]> | undefined;
  readonly subjectKeyIdentifier: Uint8Array | undefined;
  readonly hasNameConstraints: boolean;
  /** Critical extensions that nothing here understands: the certificate must not be used (RFC 5280 section 4.2). */
  readonly unknownCritical: readonly Oid[];
}

/** The content of an extension, and whether a reader who does not understand it must refuse the certificate. */
interface Marked<Value> {
  readonly critical: boolean;
  readonly value: Value;
}

/** Ours have 600 bytes. What a peer presents is read at each handshake, so that the largest must be cheap too (< 10 ms). */
export const MAX_CERTIFICATE_BYTES = 16 * 1024;

const UNDERSTOOD: ReadonlySet<Oid> = new Set([
  OIDS.basicConstraints,
  OIDS.keyUsage,
  OIDS.extendedKeyUsage,
  OIDS.subjectAltName,
  OIDS.subjectKeyIdentifier,
  OIDS.authorityKeyIdentifier,
  OIDS.nameConstraints,
]);

/**
 * Reads a version 3 certificate, at most {@link MAX_CERTIFICATE_BYTES} of strict DER. Takes 10 us for one of ours.
 * @returns what it says, or what is malformed about it. Never throws, whatever the bytes.
 */
export const parseCertificate = (der: Uint8Array): Result<CertificateFacts, string> =>
  decode.decoding(() => readCertificate(decode.decodeDer(der, MAX_CERTIFICATE_BYTES, "certificate")));

/** SHA-256 of the DER, lower-case hex: how a certificate is named in files, messages and metrics. */
export const fingerprintOf = (der: Uint8Array): string => hash("sha256", der, "hex");

/** `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue BIT STRING }` */
const readCertificate = (certificate: Asn1): CertificateFacts => {
  const [body, algorithm, signature, ...rest] = decode.sequenceItems(certificate, "certificate");
  decode.bitsOf(signature, "signature");
  if (rest.length > 0) decode.malformed("certificate has too many fields");
  return readBody(decode.sequenceItems(body, "tbsCertificate"), readAlgorithm(algorithm));
};

/**
 * TBSCertificate ::= SEQUENCE { version [0], serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo,
 * extensions [3] }; unique identifiers [1] and [2] must not be used.
 */
const readBody = (fields: readonly Asn1[], signatureAlgorithm: Oid): CertificateFacts => {
  const [version, serial, algorithm, issuer, validity, subject, publicKey, extensions, ...rest] = fields;
  const number = decode.only(decode.contextItems(version, 0, "version"), "version");
  if (decode.smallIntegerOf(number, "version") !== 2) decode.malformed("certificate is not of version 3");
  if (readAlgorithm(algorithm) !== signatureAlgorithm) decode.malformed("certificate names two signature algorithms");
  if (rest.length > 0) decode.malformed("certificate has unknown fields");
  return {
    serial: Buffer.from(decode.integerOf(serial, "serialNumber")).toString("hex"),
    issuer: bytesOfSequence(issuer, "issuer"),
    subject: bytesOfSequence(subject, "subject"),
    subjectIsEmpty: decode.sequenceItems(subject, "subject").length === 0,
    ...readValidity(validity),
    publicKey: bytesOfSequence(publicKey, "subjectPublicKeyInfo"),
    signatureAlgorithm,
    ...readKnownExtensions(
      extensions === undefined
        ? new Map()
        : readExtensions(decode.only(decode.contextItems(extensions, 3, "extensions"), "extensions")),
    ),
  };
};

const readKnownExtensions = (extensions: ReadonlyMap<Oid, Extension>) => {
  const find = <Value>(id: Oid, read: (value: Uint8Array) => Value): Marked<Value> | undefined => {
    const found = extensions.get(id);
    return found && { critical: found.critical, value: read(found.value) };
  };
  return {
    basicConstraints: find(OIDS.basicConstraints, readBasicConstraints)?.value,
    keyUsage: find(OIDS.keyUsage, readKeyUsage),
    extendedKeyUsage: find(OIDS.extendedKeyUsage, readExtendedKeyUsage)?.value,
    subjectAltNames: find(OIDS.subjectAltName, readSubjectAltNames),
    subjectKeyIdentifier: find(OIDS.subjectKeyIdentifier, readSubjectKeyIdentifier)?.value,
    hasNameConstraints: extensions.has(OIDS.nameConstraints),
    unknownCritical: [...extensions.values()]
      .filter(({ critical, id }) => critical && !UNDERSTOOD.has(id))
      .map(({ id }) => id),
  };
};

const readAlgorithm = (algorithm: Asn1 | undefined): Oid =>
  decode.oidOf(decode.sequenceItems(algorithm, "algorithm")[0], "algorithm");

const readValidity = (validity: Asn1 | undefined): Pick<CertificateFacts, "notBefore" | "notAfter"> => {
  const [notBefore, notAfter] = decode.sequenceItems(validity, "validity");
  return { notBefore: decode.timeOf(notBefore, "notBefore"), notAfter: decode.timeOf(notAfter, "notAfter") };
};

const bytesOfSequence = (value: Asn1 | undefined, what: string): Uint8Array => {
  decode.sequenceItems(value, what);
  return value ? decode.bytesOf(value) : decode.malformed(`${what} is missing`);
};
