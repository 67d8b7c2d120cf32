import asn1, { type Asn1 } from "node-forge/lib/asn1.js";
import type { KeyObject } from "node:crypto";

import * as encode from "../x509/asn1/encode.ts";
import type { Oid } from "../x509/asn1/object-identifiers.ts";

/** The encoded form of any object identifier. */
export const anyOid = (dotted: string): Oid => asn1.oidToDer(dotted).getBytes() as Oid;

/** The AlgorithmIdentifier of a signature by a key, broken algorithms included. */
export const algorithmOf = (key: KeyObject, hash: string): Asn1 => {
  const found = ALGORITHMS.get(`${key.asymmetricKeyType} ${hash}`);
  if (!found) throw new Error(`no algorithm for ${key.asymmetricKeyType} with ${hash}`);
  return encode.sequence(encode.oid(anyOid(found)), ...(key.asymmetricKeyType === "rsa" ? [NULL] : []));
};

const NULL = asn1.create(0, 5, false, "");

const ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ["ec sha1", "1.2.840.10045.4.1"],
  ["ec sha256", "1.2.840.10045.4.3.2"],
  ["ec sha384", "1.2.840.10045.4.3.3"],
  ["rsa sha1", "1.2.840.113549.1.1.5"],
  ["rsa sha256", "1.2.840.113549.1.1.11"],
]);
