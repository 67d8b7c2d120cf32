import { expect, test } from "vitest";

import { unwrap } from "#mesh/result.ts";

import { leafUnder } from "../testing/hostile-chains.ts";
import { testAuthority } from "../testing/test-authority.ts";
import * as encode from "../x509/asn1/encode.ts";
import { generateKeyPair } from "../x509/key-pair.ts";
import { formatCertificates, formatPem } from "../x509/pem.ts";
import { issueLeaf } from "./authority.ts";
import { checkIssuedChain, formatIssuedChain } from "./issued-chain.ts";

const HOUR_MS = 3_600_000;
const now = Date.now();
const authority = testAuthority("cluster.local", now);
const keys = generateKeyPair();
const expected = {
  id: authority.id("shop/web"),
  key: keys.privateKey,
  lifetimeMs: HOUR_MS,
  bundle: authority.bundle,
  now,
};

const issue = ({
  name = "shop/web",
  publicKey = keys.publicKey,
  lifetimeMs = HOUR_MS,
  by = authority,
  at = now,
} = {}) => {
  const request = { id: by.id(name), publicKey, lifetimeMs };
  const leaf = unwrap(issueLeaf(by.issuing, request, { now: at, random: (size) => new Uint8Array(size) }));
  return formatIssuedChain([leaf, by.issuing.certificate], by.bundle);
};

test("what was asked for is taken, and the roots that came along are left out", () => {
  const credentials = unwrap(checkIssuedChain(issue(), expected));
  expect(credentials).toMatchObject({ id: "spiffe://cluster.local/ns/shop/sa/web", key: keys.privateKey });
  expect(credentials.chain).toHaveLength(2);
  expect(credentials.notAfter).toBe(Math.floor((now + HOUR_MS) / 1000) * 1000);
});

test("the answer is a leaf, each CA above it, and last all roots in one text", () => {
  const bundle = { ...authority.bundle, roots: [...authority.bundle.roots, testAuthority().root.certificate] };
  const answer = formatIssuedChain(authority.credentials("shop/web").chain, bundle);
  expect(answer.map((pem) => pem.match(/BEGIN CERTIFICATE/g)?.length)).toEqual([1, 1, 2]);
});

test("a shorter life than asked is taken: a CA near its own end can give no longer one", () => {
  expect(checkIssuedChain(issue({ lifetimeMs: HOUR_MS / 2 }), expected).ok).toBe(true);
});

const leafPem = (changes: Parameters<typeof leafUnder>[1]) =>
  formatIssuedChain(leafUnder(authority, { publicKey: keys.publicKey, ...changes }).chain, authority.bundle);

test.each([
  ["another public key", () => issue({ publicKey: generateKeyPair().publicKey }), "wrong-key"],
  ["another identity", () => issue({ name: "shop/payments" }), "unexpected-identity"],
  ["a longer life than asked", () => issue({ lifetimeMs: 2 * HOUR_MS }), "wrong-lifetime"],
  ["a life of ten years", () => leafPem({ notAfter: encode.time(now + 87_600 * HOUR_MS) }), "wrong-lifetime"],
  ["a life that has not begun", () => leafPem({ notBefore: encode.time(now + 60_000) }), "certificate-not-yet-valid"],
  ["a life that is over", () => issue({ at: now - 2 * HOUR_MS }), "certificate-expired"],
  ["another CA", () => issue({ by: testAuthority() }), "untrusted-issuer"],
  ["another trust domain", () => issue({ by: testAuthority("other.example") }), "foreign-trust-domain"],
  ["no issuing CA", () => issue().toSpliced(1, 1), "untrusted-issuer"],
  ["only roots", () => issue().slice(-1), "malformed-certificate"],
  ["nothing", () => [], "malformed-certificate"],
  ["X-14 garbage", () => ["garbage", "garbage"], "malformed-certificate"],
  ["X-14 an error page", () => ["<html>502</html>", "<html>502</html>"], "malformed-certificate"],
  ["X-14 damaged DER", () => [formatPem("CERTIFICATE", Buffer.from("3005", "hex")), ""], "malformed-certificate"],
  ["X-14 1 MB", () => [formatCertificates([Buffer.alloc(2 ** 20)]), ""], "malformed-certificate"],
] as const)("T-22 an answer of the CA with %s is refused", (_, answer, reason) => {
  expect(checkIssuedChain(answer(), expected)).toMatchObject({ ok: false, error: { reason } });
});

test("T-22 a refusal says whose certificate it is about, and shows both clocks where they differ", () => {
  const ahead = checkIssuedChain(leafPem({ notBefore: encode.time(now + 3_600_000) }), expected);
  const time = expect.stringMatching(/shop\/sa\/web: valid from .*Z, and here it is .*Z: compare the clocks/);
  expect(ahead).toMatchObject({ error: { message: time } });
});
