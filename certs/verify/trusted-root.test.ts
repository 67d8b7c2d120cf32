import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { leafUnder, leafUnderIntermediate } from "../testing/hostile-chains.ts";
import { testAuthority } from "../testing/test-authority.ts";
import { hasTrustedRoot, parseRoots } from "./trusted-root.ts";

const authority = testAuthority();
const other = testAuthority();

/** A chain as a TLS socket gives it: each certificate with the next as its issuer, whether or not that signed it. */
const linked = ([der, ...above]: readonly Uint8Array[]): X509Certificate => {
  const certificate = new X509Certificate(Buffer.from(der as Uint8Array));
  const issuer = above.length === 0 ? undefined : linked(above);
  return Object.defineProperty(certificate, "issuerCertificate", { value: issuer });
};

const { chain } = leafUnder(authority);
const [leaf, issuing] = chain as [Uint8Array, Uint8Array];
const [, foreignIssuing] = leafUnder(other).chain as [Uint8Array, Uint8Array];

test.each<[string, readonly Uint8Array[], boolean]>([
  ["leaf and issuing CA", chain, true],
  ["one CA more", leafUnderIntermediate(authority, {}).chain, true],
  ["with the root itself", [...chain, authority.root.certificate], true],
  ["without the issuing CA", [leaf], false],
  ["under another root", leafUnder(other).chain, false],
  ["under another root that comes along", [...leafUnder(other).chain, other.root.certificate], false],
  // The order in which certificates are presented is the peer's choice.
  ["a stranger's leaf with an issuing CA of ours above", [leafUnder(other).chain[0] as Uint8Array, issuing], false],
  ["a stranger's chain with an issuing CA of ours at its end", [...leafUnder(other).chain, issuing], false],
  ["our leaf below a stranger's issuing CA", [leaf, foreignIssuing], false],
])("a peer is still vouched for: %s: %s", (_, presented, isTrusted) => {
  expect(hasTrustedRoot(linked(presented), parseRoots(authority.bundle))).toBe(isTrusted);
});

test("a root that is its own issuer is not walked for ever", () => {
  const circular = new X509Certificate(Buffer.from(other.root.certificate));
  Object.defineProperty(circular, "issuerCertificate", { value: circular });
  expect(hasTrustedRoot(circular, parseRoots(authority.bundle))).toBe(false);
});

test("times are not looked at: a clock that is set ends nothing", () => {
  const past = testAuthority("cluster.local", Date.parse("2001-01-01T00:00:00Z"));
  expect(hasTrustedRoot(linked(past.credentials("shop/web").chain), parseRoots(past.bundle))).toBe(true);
});
