import { generateKeyPairSync, type KeyObject } from "node:crypto";

import type { SigningAuthority } from "../issue/authority.ts";
import type { Credentials } from "../verify/credentials.ts";
import type { RefusalReason } from "../verify/refusal.ts";
import * as encode from "../x509/asn1/encode.ts";
import { OIDS } from "../x509/asn1/object-identifiers.ts";
import { basicConstraints, extendedKeyUsage, keyUsage } from "../x509/extensions.ts";
import { generateKeyPair } from "../x509/key-pair.ts";
import {
  anyExtension,
  authorityExtensions,
  type CertificateParts,
  commonName,
  excludesHost,
  hostileCertificate,
  leafExtensions,
  type Signer,
  uris,
  WEB,
} from "./hostile-certificate.ts";
import type { TestAuthority } from "./test-authority.ts";

/** What a peer presents that must not be let in, and why it is not. */
export interface HostileChain {
  readonly name: string;
  readonly key: KeyObject;
  readonly chain: readonly Uint8Array[];
  readonly reason: RefusalReason;
}

type Changes = Partial<CertificateParts>;

const HOUR_MS = 3_600_000;
const past = { notAfter: encode.time(Date.now() - HOUR_MS / 2) };
const future = { notBefore: encode.time(Date.now() + HOUR_MS / 2) };
const unknownCritical = anyExtension("1.2.3.4", true, encode.boolean(true));

/** Leaves under the true issuing CA that are wrong themselves. */
export const wrongLeaves: readonly (readonly [string, Changes, RefusalReason])[] = [
  ["T-01 expired", past, "certificate-expired"],
  ["T-01 not yet valid", future, "certificate-not-yet-valid"],
  ["T-01 only serverAuth", { extensions: leafExtensions([extendedKeyUsage(OIDS.serverAuth)]) }, "wrong-purpose"],
  ["T-01 only clientAuth", { extensions: leafExtensions([extendedKeyUsage(OIDS.clientAuth)]) }, "wrong-purpose"],
  ["T-02 CA:TRUE", { extensions: leafExtensions([caTrue()]) }, "ca-certificate"],
  [
    "T-02 keyCertSign",
    { extensions: leafExtensions([keyUsage("digitalSignature", "keyCertSign")]) },
    "wrong-key-usage",
  ],
  ["T-02 no digitalSignature", { extensions: leafExtensions([keyUsage("keyAgreement")]) }, "wrong-key-usage"],
  ["T-03 no URI", { extensions: leafExtensions([], [OIDS.subjectAltName]) }, "no-uri-san"],
  ["T-03 two URIs", { extensions: leafExtensions([uris(WEB, `${WEB}2`)]) }, "several-uri-sans"],
  [
    "T-04 a URI that is no SPIFFE ID",
    { extensions: leafExtensions([uris("https://a/ns/b/sa/c")]) },
    "invalid-spiffe-id",
  ],
  [
    "T-05 an identity of another trust domain",
    { extensions: leafExtensions([uris("spiffe://other.example/ns/shop/sa/web")]) },
    "foreign-trust-domain",
  ],
  [
    "T-07 an unknown critical extension",
    { extensions: [...leafExtensions(), unknownCritical] },
    "unsupported-extension",
  ],
  ["T-07 name constraints", { extensions: [...leafExtensions(), excludesHost("x")] }, "unsupported-extension"],
  ["T-07 SHA-1", { hash: "sha1" }, "weak-algorithm"],
];

/** CAs between root and leaf that must not be there. The last column is what a path validation says, `verifySvid` or OpenSSL. */
export const wrongIntermediates: readonly (readonly [string, Changes])[] = [
  ["T-07 no basic constraints", { extensions: [keyUsage("keyCertSign")] }],
  ["T-07 CA:FALSE", { extensions: [basicConstraints({ ca: false, pathLength: undefined }), keyUsage("keyCertSign")] }],
  ["T-07 no keyCertSign", { extensions: [caTrue(), keyUsage("digitalSignature")] }],
  ["T-07 name constraints that exclude the trust domain", withExtra(excludesHost("cluster.local"))],
  ["T-07 an unknown critical extension", withExtra(unknownCritical)],
  ["T-07 a purpose that excludes the leaf's", withExtra(extendedKeyUsage(OIDS.serverAuth))],
  ["T-07 SHA-1", { hash: "sha1", extensions: authorityExtensions(0) }],
  ["T-07 expired", { ...past, extensions: authorityExtensions(0) }],
  ["T-07 not yet valid", { ...future, extensions: authorityExtensions(0) }],
  ["T-07 RSA of 1024 bits", { publicKey: generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey }],
];

/** A leaf under the issuing CA of `authority`, with changes. */
export const leafUnder = ({ issuing }: TestAuthority, changes: Changes = {}): Pick<Credentials, "key" | "chain"> => {
  const keys = generateKeyPair();
  const leaf = hostileCertificate(signerOf(issuing), { publicKey: keys.publicKey, ...changes });
  return { key: keys.privateKey, chain: [leaf, issuing.certificate] };
};

/** A leaf under a CA under the root of `authority`, with changes to both. */
export const leafUnderIntermediate = (
  { root }: TestAuthority,
  caChanges: Changes,
  leafChanges: Changes = {},
): Pick<Credentials, "key" | "chain"> =>
  chainOf(signerOf(root), [{ extensions: authorityExtensions(0), ...caChanges }], leafChanges);

/** A leaf under any number of CAs, the first under `signer`. */
export const chainOf = (
  signer: Signer,
  cas: readonly Changes[],
  leafChanges: Changes = {},
): Pick<Credentials, "key" | "chain"> => {
  const chain: Uint8Array[] = [];
  let issuer = signer;
  for (const [index, changes] of cas.entries()) {
    const { subject, ca, key } = authorityUnder(issuer, `CA ${index}`, changes);
    chain.unshift(ca);
    issuer = { subject, key };
  }
  const keys = generateKeyPair();
  chain.unshift(hostileCertificate(issuer, { publicKey: keys.publicKey, ...leafChanges }));
  return { key: keys.privateKey, chain };
};

export const signerOf = ({ facts, key }: SigningAuthority): Signer => ({ subject: facts.subject, key });

const authorityUnder = (signer: Signer, name: string, changes: Changes): Signer & { readonly ca: Uint8Array } => {
  const rsa = changes.publicKey?.asymmetricKeyType === "rsa";
  const keys = rsa ? generateKeyPairSync("rsa", { modulusLength: 1024 }) : generateKeyPair();
  const ca = hostileCertificate(signer, {
    subject: commonName(name),
    extensions: authorityExtensions(),
    ...changes,
    publicKey: keys.publicKey,
  });
  return { subject: encode.encodeDer(commonName(name)), key: keys.privateKey, ca };
};

function caTrue() {
  return basicConstraints({ ca: true, pathLength: undefined });
}

function withExtra(extension: ReturnType<typeof excludesHost>): Changes {
  return { extensions: [...authorityExtensions(0), extension] };
}
