import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";

import { authorityExtensions, hostileCertificate, WEB } from "../testing/hostile-certificate.ts";
import {
  chainOf,
  leafUnder,
  leafUnderIntermediate,
  signerOf,
  wrongIntermediates,
  wrongLeaves,
} from "../testing/hostile-chains.ts";
import { testAuthority } from "../testing/test-authority.ts";
import { basicConstraints } from "../x509/extensions.ts";
import { generateKeyPair } from "../x509/key-pair.ts";
import { verifySvid } from "./verify-svid.ts";

const authority = testAuthority();
const other = testAuthority();
const now = Date.now();

const verify = (chain: readonly Uint8Array[], roots = authority.bundle.roots) =>
  verifySvid(chain, { trustDomain: authority.trustDomain, roots }, now);

test("a leaf under an issuing CA under a root of the bundle is verified", () => {
  expect(verify(leafUnder(authority).chain)).toMatchObject({ ok: true, value: { id: WEB } });
  expect(verify(leafUnderIntermediate(authority, {}).chain)).toMatchObject({ ok: true, value: { id: WEB } });
});

test("a root that comes along does not matter", () => {
  const { chain } = leafUnder(authority);
  expect(verify([...chain, authority.root.certificate]).ok).toBe(true);
  expect(verify([...chain, other.root.certificate]).ok).toBe(false);
});

test("any root of the bundle will do", () => {
  const roots = [other.root.certificate, authority.root.certificate];
  expect(verify(leafUnder(authority).chain, roots).ok).toBe(true);
  expect(verify(leafUnder(other).chain, roots).ok).toBe(true);
});

test.each(wrongLeaves)("a leaf is refused: %s", (_, changes, reason) => {
  expect(verify(leafUnder(authority, changes).chain)).toMatchObject({ ok: false, error: { reason } });
});

test.each(wrongIntermediates)("a CA between root and leaf is refused: %s", (_, changes) => {
  expect(verify(leafUnderIntermediate(authority, changes).chain).ok).toBe(false);
});

test("T-01 a leaf of another CA, of nobody, or signed by itself is refused", () => {
  const keys = generateKeyPair();
  const self = hostileCertificate({ subject: Buffer.from("3000", "hex"), key: keys.privateKey }, keys);
  for (const chain of [leafUnder(other).chain, leafUnder(authority).chain.slice(0, 1), [self]]) {
    expect(verify(chain)).toMatchObject({ error: { reason: "untrusted-issuer" } });
  }
  expect(verify([])).toMatchObject({ error: { reason: "no-certificate" } });
});

test("T-05 the bundle of one trust domain verifies no identity of another, even under its own root", () => {
  const foreign = testAuthority("other.example");
  expect(verify(foreign.credentials("shop/web").chain)).toMatchObject({ error: { reason: "foreign-trust-domain" } });
  expect(verify(foreign.credentials("shop/web").chain, foreign.bundle.roots)).toMatchObject({
    error: { reason: "foreign-trust-domain" },
  });
});

test("T-07 the certificates of a chain must be in order, and each signed by the next", () => {
  const [leaf = new Uint8Array(), issuing = new Uint8Array()] = leafUnder(authority).chain;
  expect(verify([issuing, leaf]).ok).toBe(false);
  expect(verify([leaf, other.issuing.certificate])).toMatchObject({ error: { reason: "untrusted-issuer" } });
  expect(verify([leaf, leaf, issuing])).toMatchObject({ error: { reason: "untrusted-issuer" } });
});

test("T-07 an issuing CA that is named like the true one signs nothing that counts", () => {
  const imposter = { subject: authority.issuing.facts.subject, key: generateKeyPair().privateKey };
  const leaf = hostileCertificate(imposter);
  expect(verify([leaf, authority.issuing.certificate])).toMatchObject({ error: { reason: "untrusted-issuer" } });
});

test("T-07 a leaf that names another issuer than the one whose key signed it is refused", () => {
  const misnamed = { subject: other.issuing.facts.subject, key: authority.issuing.key };
  const leaf = hostileCertificate(misnamed);
  expect(verify([leaf, authority.issuing.certificate])).toMatchObject({ error: { reason: "untrusted-issuer" } });
});

test("T-07 a CA without any key usage signs nothing that counts", () => {
  const ca = { extensions: [basicConstraints({ ca: true, pathLength: 0 })] };
  expect(verify(leafUnderIntermediate(authority, ca).chain)).toMatchObject({ error: { reason: "invalid-chain" } });
});

test("T-07 the path length of each CA holds", () => {
  const under = chainOf(signerOf(authority.issuing), [{ extensions: authorityExtensions(0) }]);
  const tooLong = [...under.chain, authority.issuing.certificate];
  expect(verify(tooLong)).toMatchObject({ error: { reason: "invalid-chain" } });
});

test("T-07 a chain of 100 certificates is refused before one signature is verified", () => {
  const { chain } = chainOf(
    signerOf(authority.root),
    Array.from({ length: 99 }, () => ({})),
  );
  expect(chain).toHaveLength(100);
  expect(verify(chain)).toMatchObject({ error: { reason: "invalid-chain", message: "a chain of 100 certificates" } });
});

test("T-07 a leaf with an RSA key of 1024 bits is refused, one of 2048 is not", () => {
  const withKey = (modulusLength: number) =>
    verify(leafUnder(authority, { publicKey: generateKeyPairSync("rsa", { modulusLength }).publicKey }).chain);
  expect(withKey(1024)).toMatchObject({ error: { reason: "weak-algorithm" } });
  expect(withKey(2048).ok).toBe(true);
});

test("T-07 a leaf with a key on a curve of 192 bits is refused", () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-192" });
  expect(verify(leafUnder(authority, { publicKey }).chain)).toMatchObject({ error: { reason: "weak-algorithm" } });
});

test("a root that has expired verifies nothing, though all below it is valid", () => {
  const old = testAuthority("cluster.local", now - 3660 * 24 * 3_600_000);
  const { chain } = leafUnderIntermediate(old, {});
  expect(verify(chain, old.bundle.roots)).toMatchObject({ error: { reason: "certificate-expired" } });
});
