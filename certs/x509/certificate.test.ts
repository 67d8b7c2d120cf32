import * as fc from "fast-check";
import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";

import { anyExtension, hostileCertificate, leafExtensions, organization, WEB } from "../testing/hostile-certificate.ts";
import { testAuthority } from "../testing/test-authority.ts";
import * as encode from "./asn1/encode.ts";
import { OIDS } from "./asn1/object-identifiers.ts";
import { parseCertificate } from "./certificate.ts";
import { encodeExtension, keyUsage } from "./extensions.ts";

const authority = testAuthority();
const signer = { subject: authority.issuing.facts.subject, key: authority.issuing.key };

test("a certificate is read as OpenSSL reads it", () => {
  for (const der of [
    authority.root.certificate,
    authority.issuing.certificate,
    hostileCertificate(signer, { subject: organization("shop") }),
    ...authority.credentials("shop/web", { dnsNames: ["web.shop"] }).chain,
  ]) {
    const facts = parseCertificate(der);
    const x509 = new X509Certificate(der);
    expect(facts).toMatchObject({
      ok: true,
      value: {
        serial: x509.serialNumber.toLowerCase(),
        notBefore: x509.validFromDate.getTime(),
        notAfter: x509.validToDate.getTime(),
        publicKey: x509.publicKey.export({ format: "der", type: "spki" }),
        basicConstraints: { ca: x509.ca },
        subjectIsEmpty: x509.subject === undefined || x509.subject === "",
      },
    });
  }
});

const twice = encodeExtension(keyUsage("digitalSignature"));

test.each([
  ["version 1", { version: encode.smallInteger(0) }],
  ["an extension that comes twice", { rawExtensions: [twice] }],
  ["an extension with four fields", { rawExtensions: [encode.sequence(...fourFields())] }],
  ["an extension without a value", { rawExtensions: [encode.sequence(encode.oid(OIDS.serverAuth))] }],
  ["a SAN that is no list", { extensions: leafExtensions([anyExtension("2.5.29.17", true, encode.boolean(true))]) }],
  ["an empty SAN", { extensions: leafExtensions([anyExtension("2.5.29.17", true, encode.sequence())]) }],
  [
    "a key usage that is no bit string",
    { extensions: leafExtensions([anyExtension("2.5.29.15", true, encode.sequence())]) },
  ],
  ["a time with an offset", { notAfter: encode.utf8String("260131120000+0100") }],
  ["100 KB of extension", { extensions: [...leafExtensions(), anyExtension("1.2.3.4", false, large(100_000))] }],
  ["1 MB of extension", { extensions: [...leafExtensions(), anyExtension("1.2.3.4", false, large(1_000_000))] }],
])("T-07 a certificate with %s is malformed", (_, changes) => {
  expect(parseCertificate(hostileCertificate(signer, changes)).ok).toBe(false);
});

function large(bytes: number) {
  return encode.octetString(Buffer.alloc(bytes));
}

function fourFields() {
  const value = encode.octetString(Buffer.of(5, 0));
  return [encode.oid(OIDS.serverAuth), value, value, value];
}

test("T-12 no damage to a certificate makes the reader throw", () => {
  const [leaf = new Uint8Array()] = authority.credentials("shop/web").chain;
  const anyDamage = fc.array(fc.tuple(fc.nat(leaf.length - 1), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(anyDamage, fc.option(fc.nat(leaf.length)), (damage, length) => {
      const copy = Uint8Array.from(leaf);
      for (const [at, mask] of damage) copy[at] = (copy[at] ?? 0) ^ mask;
      parseCertificate(copy.subarray(0, length ?? copy.length));
    }),
    { numRuns: 5000 },
  );
});

test("an extension that nothing here knows is kept only if it is critical", () => {
  const withExtension = (critical: boolean) =>
    parseCertificate(
      hostileCertificate(signer, {
        extensions: [...leafExtensions(), anyExtension("1.2.3.4", critical, encode.utf8String(WEB))],
      }),
    );
  expect(withExtension(true)).toMatchObject({ value: { unknownCritical: ["*\x03\x04"] } });
  expect(withExtension(false)).toMatchObject({ value: { unknownCritical: [] } });
});
