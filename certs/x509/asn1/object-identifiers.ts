import asn1 from "node-forge/lib/asn1.js";

declare const objectIdentifier: unique symbol;
/** An OBJECT IDENTIFIER in its encoded form, one character a byte: what is compared, so that nothing hostile is decoded. */
export type Oid = string & { readonly [objectIdentifier]: true };

const oid = (dotted: string): Oid => asn1.oidToDer(dotted).getBytes() as Oid;

/** RFC 5280 appendix A, RFC 5758, RFC 5480, RFC 2986. */
export const OIDS = {
  commonName: oid("2.5.4.3"),
  organization: oid("2.5.4.10"),

  subjectKeyIdentifier: oid("2.5.29.14"),
  keyUsage: oid("2.5.29.15"),
  subjectAltName: oid("2.5.29.17"),
  basicConstraints: oid("2.5.29.19"),
  nameConstraints: oid("2.5.29.30"),
  authorityKeyIdentifier: oid("2.5.29.35"),
  extendedKeyUsage: oid("2.5.29.37"),

  serverAuth: oid("1.3.6.1.5.5.7.3.1"),
  clientAuth: oid("1.3.6.1.5.5.7.3.2"),

  ecPublicKey: oid("1.2.840.10045.2.1"),
  p256: oid("1.2.840.10045.3.1.7"),

  ecdsaWithSha256: oid("1.2.840.10045.4.3.2"),
  ecdsaWithSha384: oid("1.2.840.10045.4.3.3"),
  ecdsaWithSha512: oid("1.2.840.10045.4.3.4"),
  rsaWithSha256: oid("1.2.840.113549.1.1.11"),
  rsaWithSha384: oid("1.2.840.113549.1.1.12"),
  rsaWithSha512: oid("1.2.840.113549.1.1.13"),
  ed25519: oid("1.3.101.112"),

  extensionRequest: oid("1.2.840.113549.1.9.14"),
} as const;

/** The dotted form, for a message. It may come from a stranger: what cannot be read is said to be so. */
export const formatOid = (encoded: Oid): string => {
  if (encoded.length > 32) return "an over-long object identifier";
  try {
    return asn1.derToOid(encoded);
  } catch {
    return "an unreadable object identifier";
  }
};
