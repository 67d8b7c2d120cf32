import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";

import { unwrap } from "#mesh/result.ts";
import { parseSpiffeId } from "#mesh/spiffe-id.ts";

import { anyExtension, commonName, uris, WEB } from "../testing/hostile-certificate.ts";
import { extensionRequest, hostileRequest } from "../testing/hostile-request.ts";
import { anyOid } from "../testing/signature-algorithm.ts";
import * as encode from "./asn1/encode.ts";
import { createCsr, parseCsr } from "./csr.ts";
import { basicConstraints, extendedKeyUsage, keyUsage, subjectAltNames } from "./extensions.ts";
import { exportPublicKey, generateKeyPair } from "./key-pair.ts";
import { formatPem, parseSinglePem } from "./pem.ts";

const id = unwrap(parseSpiffeId(WEB));

test("a request that was made is understood: its identity and its key", () => {
  const keys = generateKeyPair();
  const request = unwrap(parseCsr(createCsr(keys, id)));
  expect(request.id).toBe(WEB);
  expect(exportPublicKey(request.publicKey)).toEqual(exportPublicKey(keys.publicKey));
});

test("a request as other node proxies send it is understood", () => {
  expect(parseCsr(hostileRequest()).ok).toBe(true);
});

const otherKey = generateKeyPair().privateKey;
const dns = { kind: "dns", value: "web.shop" } as const;
const uri = { kind: "uri", value: WEB } as const;
const email = encode.sequence(encode.contextPrimitive(1, Buffer.from("a@b")));
const challengePassword = encode.sequence(
  encode.oid(anyOid("1.2.840.113549.1.9.7")),
  encode.set(encode.utf8String("secret")),
);
const rsa = (modulusLength: number) => ({ keys: generateKeyPairSync("rsa", { modulusLength }) });
const curve = (namedCurve: string) => ({ keys: generateKeyPairSync("ec", { namedCurve }) });
const id3000 = `spiffe://cluster.local/ns/shop/sa/${"w".repeat(3000)}`;

test.each([
  ["the signature of another key", { signer: otherKey }, "signature is not by its own key"],
  ["a damaged signature", { damaged: true }, "signature is not by its own key"],
  ["RSA of 1024 bits", rsa(1024), "not signed with ECDSA"],
  ["RSA of 2048 bits", rsa(2048), "not signed with ECDSA"],
  ["a key on P-384", curve("P-384"), "not ECDSA P-256 but ec secp384r1"],
  ["a key on P-192", curve("P-192"), "not ECDSA P-256 but ec prime192v1"],
  ["a key on secp256k1", curve("secp256k1"), "not ECDSA P-256 but ec secp256k1"],
  ["parameters where ECDSA has none", { algorithm: withParameters() }, "not signed with ECDSA and SHA-256"],
  ["SHA-1", { hash: "sha1" }, "not signed with ECDSA and SHA-256"],
  ["SHA-384", { hash: "sha384" }, "not signed with ECDSA and SHA-256"],
  ["a DNS name besides the URI", { extensions: [subjectAltNames([uri, dns], true)] }, "names other than one URI"],
  ["a DNS name before the URI", { extensions: [subjectAltNames([dns, uri], true)] }, "names other than one URI"],
  ["two URIs", { extensions: [uris(WEB, `${WEB}2`)] }, "names other than one URI"],
  ["the same URI twice", { extensions: [uris(WEB, WEB)] }, "names other than one URI"],
  ["an e-mail address", { extensions: [anyExtension("2.5.29.17", true, email)] }, "names other than one URI"],
  ["no name", { extensions: [] }, "extensions other than one SAN"],
  ["CA:TRUE", { extensions: [uris(WEB), basicConstraints({ ca: true, pathLength: undefined })] }, "other than one SAN"],
  ["a key usage", { extensions: [uris(WEB), keyUsage("keyCertSign")] }, "other than one SAN"],
  ["a purpose", { extensions: [uris(WEB), extendedKeyUsage()] }, "other than one SAN"],
  ["a SAN that comes twice", { extensions: [uris(WEB), uris(`${WEB}2`)] }, "comes twice"],
  ["no attribute", { attributes: [] }, "must hold one value, not 0"],
  ["another attribute", { attributes: [challengePassword] }, "no extension request"],
  ["a second attribute", { attributes: [extensionRequest([uris(WEB)]), challengePassword] }, "one value, not 2"],
  ["two lists of extensions", { attributes: [extensionRequest([uris(WEB)], [uris(WEB)])] }, "one value, not 2"],
  ["a common name", { subject: commonName("shop/web") }, "has a subject"],
  ["version 2", { version: encode.smallInteger(1) }, "not of version 0"],
  ["a field too many", { moreFields: [encode.sequence()] }, "wrong number of fields"],
  [
    "a name that is no SPIFFE ID",
    { extensions: [uris("https://cluster.local/ns/shop/sa/web")] },
    "does not start with",
  ],
  ["an upper-case trust domain", { extensions: [uris("spiffe://Cluster.local/ns/a/sa/b")] }, "is not a trust domain"],
  ["an ID without a path", { extensions: [uris("spiffe://cluster.local")] }, "does not have the form"],
  ["an ID of 3,000 bytes", { extensions: [uris(id3000)] }, "is longer than"],
  [
    "1 MB",
    { extensions: [uris(WEB), anyExtension("1.2.3", false, encode.octetString(Buffer.alloc(2 ** 20)))] },
    "longer",
  ],
  [
    "20 KB",
    { extensions: [uris(WEB), anyExtension("1.2.3", false, encode.octetString(Buffer.alloc(20_000)))] },
    "larger",
  ],
] as const)("T-23 a request with %s is refused", (_, changes, message) => {
  expect(parseCsr(hostileRequest(changes))).toEqual({ ok: false, error: expect.stringContaining(message) });
});

test.each([
  ["nothing", ""],
  ["garbage", "garbage"],
  ["a certificate", formatPem("CERTIFICATE", Buffer.from("3000", "hex"))],
  ["an empty list", formatPem("CERTIFICATE REQUEST", Buffer.from("3000", "hex"))],
  ["two requests", hostileRequest() + hostileRequest()],
])("T-23 %s in place of a request is refused", (_, pem) => {
  expect(parseCsr(pem).ok).toBe(false);
});

function withParameters() {
  return encode.sequence(encode.oid(anyOid("1.2.840.10045.4.3.2")), encode.sequence());
}

test("T-23 the identity of a request cannot be changed without its key", () => {
  const der = unwrap(parseSinglePem("CERTIFICATE REQUEST", createCsr(generateKeyPair(), id)));
  const forged = Buffer.from(Buffer.from(der).toString("latin1").replace("/sa/web", "/sa/pay"), "latin1");
  expect(parseCsr(formatPem("CERTIFICATE REQUEST", forged))).toEqual({
    ok: false,
    error: "the request's signature is not by its own key",
  });
});
