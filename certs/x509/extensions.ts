import type { Asn1 } from "node-forge/lib/asn1.js";

import * as decode from "./asn1/decode.ts";
import * as encode from "./asn1/encode.ts";
import { type Oid, OIDS } from "./asn1/object-identifiers.ts";
import { BOOLEAN } from "./asn1/tags.ts";

/** An extension of a certificate or of a request for one (RFC 5280 section 4.1.2.9). */
export interface Extension {
  readonly id: Oid;
  readonly critical: boolean;
  /** DER. */
  readonly value: Uint8Array;
}

/** What a key may be used for, in the order of the bits (RFC 5280 section 4.2.1.3). */
const KEY_USAGES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;

export type KeyUsage = (typeof KEY_USAGES)[number];

/** A subject alternative name. Bytes of the IA5String, one character each; kinds that give no identity keep no value. */
export type GeneralName =
  | { readonly kind: "uri"; readonly value: string }
  | { readonly kind: "dns"; readonly value: string }
  | { readonly kind: "other" };

export interface BasicConstraints {
  readonly ca: boolean;
  /** How many CA certificates may follow; undefined: any number. */
  readonly pathLength: number | undefined;
}

/** GeneralName ::= CHOICE: numbers of the alternatives that matter here (RFC 5280 section 4.2.1.6). */
const DNS_NAME = 2;
const URI_NAME = 6;

/** `Extension ::= SEQUENCE { extnID OID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }` */
export const encodeExtension = ({ id, critical, value }: Extension): Asn1 =>
  encode.sequence(encode.oid(id), ...(critical ? [encode.boolean(true)] : []), encode.octetString(value));

/** The list of extensions; one that comes twice is refused (RFC 5280 section 4.2). To be called within `decoding`. */
export const readExtensions = (list: Asn1 | undefined): ReadonlyMap<Oid, Extension> => {
  const extensions = new Map<Oid, Extension>();
  for (const item of decode.sequenceItems(list, "extensions")) {
    const extension = readExtension(item);
    if (extensions.has(extension.id)) decode.malformed("an extension comes twice");
    extensions.set(extension.id, extension);
  }
  return extensions;
};

export const subjectAltNames = (names: readonly GeneralName[], critical: boolean): Extension =>
  extension(OIDS.subjectAltName, critical, encode.sequence(...names.map(encodeGeneralName)));

export const readSubjectAltNames = (value: Uint8Array): readonly GeneralName[] => {
  const names = decode.sequenceItems(open(value, "subjectAltName"), "subjectAltName");
  return names.length > 0 ? names.map(readGeneralName) : decode.malformed("subjectAltName is empty");
};

export const basicConstraints = ({ ca, pathLength }: BasicConstraints): Extension =>
  extension(
    OIDS.basicConstraints,
    true,
    encode.sequence(
      ...(ca ? [encode.boolean(true)] : []),
      ...(pathLength === undefined ? [] : [encode.smallInteger(pathLength)]),
    ),
  );

/** `BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL }` */
export const readBasicConstraints = (value: Uint8Array): BasicConstraints => {
  const items = decode.sequenceItems(open(value, "basicConstraints"), "basicConstraints");
  const hasCa = decode.isUniversal(items[0], BOOLEAN);
  const [pathLength, ...rest] = hasCa ? items.slice(1) : items;
  if (rest.length > 0) decode.malformed("basicConstraints has too many fields");
  return {
    ca: hasCa && decode.booleanOf(items[0], "cA"),
    pathLength: pathLength && decode.smallIntegerOf(pathLength, "pathLenConstraint"),
  };
};

export const keyUsage = (...usages: readonly KeyUsage[]): Extension => {
  const positions = usages.map((usage) => KEY_USAGES.indexOf(usage));
  const last = Math.max(...positions);
  const bytes = new Uint8Array(Math.floor(last / 8) + 1);
  for (const position of positions) bytes[position >> 3] = (bytes[position >> 3] ?? 0) | (0x80 >> (position & 7));
  return extension(OIDS.keyUsage, true, encode.bitString(bytes, 7 - (last & 7)));
};

export const readKeyUsage = (value: Uint8Array): ReadonlySet<KeyUsage> => {
  const { bytes } = decode.bitsOf(open(value, "keyUsage"), "keyUsage");
  return new Set(KEY_USAGES.filter((_, index) => ((bytes[index >> 3] ?? 0) << (index & 7)) & 0x80));
};

export const extendedKeyUsage = (...purposes: readonly Oid[]): Extension =>
  extension(OIDS.extendedKeyUsage, false, encode.sequence(...purposes.map(encode.oid)));

export const readExtendedKeyUsage = (value: Uint8Array): readonly Oid[] =>
  decode
    .sequenceItems(open(value, "extendedKeyUsage"), "extendedKeyUsage")
    .map((purpose) => decode.oidOf(purpose, "extendedKeyUsage"));

export const subjectKeyIdentifier = (id: Uint8Array): Extension =>
  extension(OIDS.subjectKeyIdentifier, false, encode.octetString(id));

export const readSubjectKeyIdentifier = (value: Uint8Array): Uint8Array =>
  decode.octetsOf(open(value, "subjectKeyIdentifier"), "subjectKeyIdentifier");

/** `AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0] IMPLICIT OCTET STRING OPTIONAL, ... }` */
export const authorityKeyIdentifier = (id: Uint8Array): Extension =>
  extension(OIDS.authorityKeyIdentifier, false, encode.sequence(encode.contextPrimitive(0, id)));

const extension = (id: Oid, critical: boolean, value: Asn1): Extension => ({
  id,
  critical,
  value: encode.encodeDer(value),
});

const readExtension = (item: Asn1): Extension => {
  const fields = decode.sequenceItems(item, "extension");
  const [id, critical, value] = fields.length === 3 ? fields : [fields[0], undefined, fields[1]];
  if (fields.length > 3) decode.malformed("an extension has the wrong number of fields");
  return {
    id: decode.oidOf(id, "extnID"),
    critical: critical !== undefined && decode.booleanOf(critical, "critical"),
    value: decode.octetsOf(value, "extnValue"),
  };
};

/** The certificate around it bounded its size. */
const open = (value: Uint8Array, what: string): Asn1 => decode.decodeDer(value, value.length, what);

const encodeGeneralName = (name: GeneralName): Asn1 => {
  if (name.kind === "other") throw new Error("names of this kind are only read");
  return encode.contextPrimitive(name.kind === "uri" ? URI_NAME : DNS_NAME, Buffer.from(name.value, "latin1"));
};

const readGeneralName = (name: Asn1): GeneralName => {
  if (decode.isContext(name, URI_NAME)) return { kind: "uri", value: decode.content(name, "URI name") };
  if (decode.isContext(name, DNS_NAME)) return { kind: "dns", value: decode.content(name, "DNS name") };
  return { kind: "other" };
};
