import asn1, { type Asn1 } from "node-forge/lib/asn1.js";

import type { Oid } from "./object-identifiers.ts";
import * as tag from "./tags.ts";

/** The DER bytes of a value (X.690 section 10). */
export const encodeDer = (value: Asn1): Uint8Array => Buffer.from(asn1.toDer(value).getBytes(), "latin1");

export const sequence = (...items: readonly Asn1[]): Asn1 => asn1.create(tag.UNIVERSAL, tag.SEQUENCE, true, items);

export const set = (...items: readonly Asn1[]): Asn1 => asn1.create(tag.UNIVERSAL, tag.SET, true, items);

export const oid = (id: Oid): Asn1 => primitive(tag.OBJECT_IDENTIFIER, id);

export const boolean = (value: boolean): Asn1 => primitive(tag.BOOLEAN, value ? "\xff" : "\0");

/** From two's complement, big endian, at least one byte. */
export const integer = (bytes: Uint8Array): Asn1 => primitive(tag.INTEGER, latin1(bytes));

/** From 0 to 127. */
export const smallInteger = (value: number): Asn1 => integer(Uint8Array.of(value));

export const octetString = (bytes: Uint8Array): Asn1 => primitive(tag.OCTET_STRING, latin1(bytes));

/** @param unusedBits how many bits at the end of the last byte do not count, 0 to 7 */
export const bitString = (bytes: Uint8Array, unusedBits = 0): Asn1 =>
  primitive(tag.BIT_STRING, String.fromCharCode(unusedBits) + latin1(bytes));

export const utf8String = (text: string): Asn1 => primitive(tag.UTF8_STRING, latin1(Buffer.from(text, "utf8")));

/** `[number] EXPLICIT`, and `[number] IMPLICIT` of a SEQUENCE or SET whose items these are. */
export const contextConstructed = (number: number, ...items: readonly Asn1[]): Asn1 =>
  asn1.create(tag.CONTEXT, number, true, items);

/** `[number] IMPLICIT` of a string type. */
export const contextPrimitive = (number: number, bytes: Uint8Array): Asn1 =>
  asn1.create(tag.CONTEXT, number, false, latin1(bytes));

/** A value that is encoded already, as a name or a public key. @throws Error if it is not one whole value. */
export const embedded = (der: Uint8Array): Asn1 =>
  asn1.fromDer(latin1(der), { strict: true, parseAllBytes: true, decodeBitStrings: false, maxDepth: 16 });

/** Whole seconds; UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5). */
export const time = (ms: number): Asn1 => {
  const digits = new Date(ms).toISOString().replace(/\.\d+Z$|[-:T]/g, "");
  return digits < "2050"
    ? primitive(tag.UTC_TIME, `${digits.slice(2)}Z`)
    : primitive(tag.GENERALIZED_TIME, `${digits}Z`);
};

const primitive = (type: number, value: string): Asn1 => asn1.create(tag.UNIVERSAL, type, false, value);

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
