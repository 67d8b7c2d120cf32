import asn1, { type Asn1 } from "node-forge/lib/asn1.js";

import { err, ok, type Result } from "#mesh/result.ts";

import { encodeDer } from "./encode.ts";
import type { Oid } from "./object-identifiers.ts";
import * as tag from "./tags.ts";

/** A certificate needs 7 levels, a certificate request 8. */
const MAX_DEPTH = 16;

/** Bytes that are not what was looked for. Never leaves this folder's callers: {@link decoding} turns it into a value. */
class MalformedError extends Error {}

/** Runs a reader of encoded bytes. @returns what it read, or what is wrong with the bytes. */
export const decoding = <Value>(read: () => Value): Result<Value, string> => {
  try {
    return ok(read());
  } catch (error) {
    if (error instanceof MalformedError) return err(error.message);
    throw error;
  }
};

export const malformed = (message: string): never => {
  throw new MalformedError(message);
};

/**
 * Reads exactly one value in DER. BER that is not DER is refused: one encoding means one reading, so that what is judged
 * here is what OpenSSL verified. To be called within {@link decoding}.
 */
export const decodeDer = (bytes: Uint8Array, maxBytes: number, what: string): Asn1 => {
  if (bytes.length > maxBytes) return malformed(`${what} of ${bytes.length} bytes is larger than ${maxBytes}`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const value = parse(text, what);
  return asn1.toDer(value).getBytes() === text ? value : malformed(`${what} is not encoded in DER`);
};

const parse = (text: string, what: string): Asn1 => {
  try {
    return asn1.fromDer(text, { strict: true, parseAllBytes: true, decodeBitStrings: false, maxDepth: MAX_DEPTH });
  } catch (error) {
    return malformed(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
};

/** The items of a SEQUENCE. */
export const sequenceItems = (value: Asn1 | undefined, what: string): readonly Asn1[] =>
  items(value, tag.UNIVERSAL, tag.SEQUENCE, what);

/** The items of a SET. */
export const setItems = (value: Asn1 | undefined, what: string): readonly Asn1[] =>
  items(value, tag.UNIVERSAL, tag.SET, what);

/** The items of `[number]`. */
export const contextItems = (value: Asn1 | undefined, number: number, what: string): readonly Asn1[] =>
  items(value, tag.CONTEXT, number, what);

/** The one item of a list. */
export const only = (list: readonly Asn1[], what: string): Asn1 => {
  const [item] = list;
  return item && list.length === 1 ? item : malformed(`${what} must hold one value, not ${list.length}`);
};

export const isContext = (value: Asn1 | undefined, number: number): boolean =>
  value?.tagClass === tag.CONTEXT && value.type === number;

export const isUniversal = (value: Asn1 | undefined, type: number): boolean =>
  value?.tagClass === tag.UNIVERSAL && value.type === type;

/** The content of a value that holds no others, one character a byte. */
export const content = (value: Asn1 | undefined, what: string): string =>
  value && !value.constructed && typeof value.value === "string" ? value.value : malformed(`${what} is not primitive`);

export const oidOf = (value: Asn1 | undefined, what: string): Oid =>
  primitive(value, tag.OBJECT_IDENTIFIER, what) as Oid;

export const octetsOf = (value: Asn1 | undefined, what: string): Uint8Array =>
  Buffer.from(primitive(value, tag.OCTET_STRING, what), "latin1");

/** Two's complement, big endian. */
export const integerOf = (value: Asn1 | undefined, what: string): Uint8Array =>
  Buffer.from(primitive(value, tag.INTEGER, what), "latin1");

/** A whole number from 0 to 127. */
export const smallIntegerOf = (value: Asn1 | undefined, what: string): number => {
  const bytes = integerOf(value, what);
  const [byte = 0x80] = bytes;
  return bytes.length === 1 && byte < 0x80 ? byte : malformed(`${what} is out of range`);
};

/** DER knows two booleans; OpenSSL takes any byte but 0 for true. */
export const booleanOf = (value: Asn1 | undefined, what: string): boolean => {
  const byte = primitive(value, tag.BOOLEAN, what);
  return byte === "\xff" || byte === "\0" ? byte === "\xff" : malformed(`${what} is not a boolean`);
};

/** A BIT STRING: its bytes, and how many bits at the end of the last one do not count. */
export const bitsOf = (value: Asn1 | undefined, what: string): { bytes: Uint8Array; unusedBits: number } => {
  const [unusedBits = 8, ...bytes] = Buffer.from(primitive(value, tag.BIT_STRING, what), "latin1");
  return unusedBits < 8 && (unusedBits === 0 || bytes.length > 0)
    ? { bytes: Uint8Array.from(bytes), unusedBits }
    : malformed(`${what} is not a bit string`);
};

/** UTCTime or GeneralizedTime in the one form that RFC 5280 section 4.1.2.5 allows. @returns milliseconds since 1970 */
export const timeOf = (value: Asn1 | undefined, what: string): number => {
  const text = content(value, what);
  const isShort = isUniversal(value, tag.UTC_TIME);
  const whole = isShort ? `${text < "50" ? "20" : "19"}${text}` : text;
  const digits = /^([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})Z$/.exec(whole);
  const [, year = "", month = "", day = "", hour = "", minute = "", second = ""] = digits ?? [];
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  // Date.parse takes 31 February for 3 March.
  const exists = digits !== null && new Date(ms).getUTCDate() === Number(day);
  return exists && (isShort || isUniversal(value, tag.GENERALIZED_TIME)) ? ms : malformed(`${what} is not a time`);
};

/** The DER bytes of a part, as they stand in the whole: the whole was checked to be DER. */
export const bytesOf = (value: Asn1): Uint8Array => encodeDer(value);

const primitive = (value: Asn1 | undefined, type: number, what: string): string =>
  isUniversal(value, type) ? content(value, what) : malformed(`${what} has another type`);

const items = (value: Asn1 | undefined, tagClass: number, type: number, what: string): readonly Asn1[] =>
  value?.tagClass === tagClass && value.type === type && value.constructed && typeof value.value !== "string"
    ? value.value
    : malformed(`${what} has another type`);
