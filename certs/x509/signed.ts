import type { Asn1 } from "node-forge/lib/asn1.js";
import { type KeyObject, sign } from "node:crypto";

import * as encode from "./asn1/encode.ts";
import { OIDS } from "./asn1/object-identifiers.ts";

/** The one algorithm that is signed with: ECDSA on P-256 with SHA-256 (RFC 5758 section 3.2), which has no parameters. */
export const SIGNATURE_ALGORITHM: Asn1 = encode.sequence(encode.oid(OIDS.ecdsaWithSha256));

/** `SIGNED{T} ::= SEQUENCE { T, AlgorithmIdentifier, BIT STRING }`: the form of certificates and of requests. DER. */
export const signed = (body: Asn1, key: KeyObject): Uint8Array => {
  const signature = sign("sha256", encode.encodeDer(body), { key, dsaEncoding: "der" });
  return encode.encodeDer(encode.sequence(body, SIGNATURE_ALGORITHM, encode.bitString(signature)));
};
