import type { KeyObject } from "node:crypto";

import * as encode from "./asn1/encode.ts";
import { encodeExtension, type Extension } from "./extensions.ts";
import { signed, SIGNATURE_ALGORITHM } from "./signed.ts";

/** A certificate that is not signed yet. */
export interface CertificateTemplate {
  /** Big endian, positive. */
  readonly serial: Uint8Array;
  /** Name, DER. */
  readonly issuer: Uint8Array;
  /** Name, DER. */
  readonly subject: Uint8Array;
  readonly validity: Validity;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly extensions: readonly Extension[];
}

/** Milliseconds since 1970, cut to whole seconds in a certificate. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Signs a certificate of version 3 (RFC 5280 section 4.1). DER. */
export const signCertificate = (template: CertificateTemplate, key: KeyObject): Uint8Array => {
  const { serial, issuer, subject, validity, publicKey, extensions } = template;
  const body = encode.sequence(
    encode.contextConstructed(0, encode.smallInteger(2)),
    encode.integer(serial),
    SIGNATURE_ALGORITHM,
    encode.embedded(issuer),
    encode.sequence(encode.time(validity.notBefore), encode.time(validity.notAfter)),
    encode.embedded(subject),
    encode.embedded(publicKey),
    encode.contextConstructed(3, encode.sequence(...extensions.map(encodeExtension))),
  );
  return signed(body, key);
};
