import type { Asn1 } from "node-forge/lib/asn1.js";
import { type KeyObject, randomBytes, sign } from "node:crypto";

import * as encode from "../x509/asn1/encode.ts";
import { type Oid, OIDS } from "../x509/asn1/object-identifiers.ts";
import {
  basicConstraints,
  encodeExtension,
  type Extension,
  extendedKeyUsage,
  type GeneralName,
  keyUsage,
  subjectAltNames,
} from "../x509/extensions.ts";
import { generateKeyPair } from "../x509/key-pair.ts";
import { algorithmOf, anyOid } from "./signature-algorithm.ts";

/** Signs in the name of a subject; not bound to be a CA, or to be sane. */
export interface Signer {
  /** DER of the name. */
  readonly subject: Uint8Array;
  readonly key: KeyObject;
}

/** Every part of a certificate, to be replaced by something that no CA would sign. */
export interface CertificateParts {
  readonly version: Asn1;
  readonly serial: Uint8Array;
  readonly subject: Asn1;
  readonly notBefore: Asn1;
  readonly notAfter: Asn1;
  readonly publicKey: KeyObject;
  /** SubjectPublicKeyInfo as it is, instead of a key's. */
  readonly publicKeyInfo: Uint8Array | undefined;
  readonly extensions: readonly Extension[];
  /** Encoded as they are, after `extensions`. */
  readonly rawExtensions: readonly Asn1[];
  readonly hash: "sha1" | "sha256" | "sha384";
}

export const WEB = "spiffe://cluster.local/ns/shop/sa/web";

const HOUR_MS = 3_600_000;

/** A certificate that differs from a proper leaf of `shop/web` in what is given. DER. */
export const hostileCertificate = (signer: Signer, changes: Partial<CertificateParts> = {}): Uint8Array => {
  const parts: CertificateParts = {
    version: encode.smallInteger(2),
    serial: Buffer.concat([Buffer.of(0x40), randomBytes(15)]),
    subject: encode.sequence(),
    notBefore: encode.time(Date.now() - HOUR_MS),
    notAfter: encode.time(Date.now() + HOUR_MS),
    publicKey: changes.publicKey ?? generateKeyPair().publicKey,
    publicKeyInfo: undefined,
    extensions: leafExtensions(),
    rawExtensions: [],
    hash: "sha256",
    ...changes,
  };
  return signWith(signer.key, parts.hash, certificateBody(signer, parts));
};

/** The extensions of a proper leaf, those with the ids of `changes` replaced, those of `without` left out. */
export const leafExtensions = (
  changes: readonly Extension[] = [],
  without: readonly Oid[] = [],
): readonly Extension[] => {
  const proper = [
    keyUsage("digitalSignature"),
    extendedKeyUsage(OIDS.serverAuth, OIDS.clientAuth),
    basicConstraints({ ca: false, pathLength: undefined }),
    uris(WEB),
  ];
  const changed = new Set<Oid>([...without, ...changes.map(({ id }) => id)]);
  return [...proper.filter(({ id }) => !changed.has(id)), ...changes];
};

/** The extensions of a CA. */
export const authorityExtensions = (pathLength?: number): readonly Extension[] => [
  basicConstraints({ ca: true, pathLength }),
  keyUsage("keyCertSign", "cRLSign"),
];

/** A critical SAN of URIs. */
export const uris = (...values: readonly string[]): Extension =>
  subjectAltNames(
    values.map((value): GeneralName => ({ kind: "uri", value })),
    true,
  );

/** An extension with content of any kind. */
export const anyExtension = (dotted: string, critical: boolean, value: Asn1): Extension => ({
  id: anyOid(dotted),
  critical,
  value: encode.encodeDer(value),
});

/** `O=<text>`. */
export const organization = (text: string): Asn1 => nameOf(OIDS.organization, text);

/** `CN=<text>`. */
export const commonName = (text: string): Asn1 => nameOf(OIDS.commonName, text);

/** Name constraints with one excluded URI host (RFC 5280 section 4.2.1.10). */
export const excludesHost = (host: string, critical = true): Extension => {
  const subtree = encode.sequence(encode.contextPrimitive(6, Buffer.from(host)));
  return anyExtension("2.5.29.30", critical, encode.sequence(encode.contextConstructed(1, subtree)));
};

const nameOf = (type: Oid, text: string): Asn1 =>
  encode.sequence(encode.set(encode.sequence(encode.oid(type), encode.utf8String(text))));

const certificateBody = (signer: Signer, parts: CertificateParts): Asn1 =>
  encode.sequence(
    encode.contextConstructed(0, parts.version),
    encode.integer(parts.serial),
    algorithmOf(signer.key, parts.hash),
    encode.embedded(signer.subject),
    encode.sequence(parts.notBefore, parts.notAfter),
    parts.subject,
    encode.embedded(parts.publicKeyInfo ?? parts.publicKey.export({ format: "der", type: "spki" })),
    encode.contextConstructed(3, encode.sequence(...parts.extensions.map(encodeExtension), ...parts.rawExtensions)),
  );

const signWith = (key: KeyObject, hash: string, body: Asn1): Uint8Array => {
  const signature = sign(hash, encode.encodeDer(body), { key, dsaEncoding: "der" });
  return encode.encodeDer(encode.sequence(body, algorithmOf(key, hash), encode.bitString(signature)));
};
