import * as fc from "fast-check";
import { randomBytes, X509Certificate } from "node:crypto";
import { expect, test } from "vitest";

import { unwrap } from "#mesh/result.ts";
import { parseSpiffeId, parseTrustDomain } from "#mesh/spiffe-id.ts";

import { WEB } from "../testing/hostile-certificate.ts";
import { verifySvid } from "../verify/verify-svid.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { generateKeyPair } from "../x509/key-pair.ts";
import { createIssuing, createRoot, issueLeaf, type SigningAuthority } from "./authority.ts";

const NOW = Date.parse("2026-03-01T00:00:00Z");
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const trustDomain = unwrap(parseTrustDomain("cluster.local"));
const surroundings = { now: NOW, random: randomBytes };
const id = unwrap(parseSpiffeId(WEB));
const root = createRoot(trustDomain, surroundings);
const issuing = unwrap(createIssuing(root, trustDomain, surroundings));

const leafAt = (now: number, lifetimeMs = DAY_MS, issuer: SigningAuthority = issuing) =>
  issueLeaf(issuer, { id, publicKey: generateKeyPair().publicKey, lifetimeMs }, { now, random: randomBytes });

test("a root lives ten years, an issuing CA one, and both begin two minutes ago", () => {
  expect(root.facts).toMatchObject({ notBefore: NOW - 2 * MINUTE_MS, notAfter: NOW + 3650 * DAY_MS });
  expect(issuing.facts).toMatchObject({ notBefore: NOW - 2 * MINUTE_MS, notAfter: NOW + 365 * DAY_MS });
});

test("a root allows one level of CAs below it, an issuing CA none", () => {
  expect(root.facts.basicConstraints).toEqual({ ca: true, pathLength: 1 });
  expect(issuing.facts.basicConstraints).toEqual({ ca: true, pathLength: 0 });
  expect(issuing.facts.keyUsage).toEqual({ critical: true, value: new Set(["keyCertSign", "cRLSign"]) });
});

test("X509-SVID: a signing certificate names its trust domain, without a path", () => {
  for (const { facts } of [root, issuing]) {
    expect(facts.subjectAltNames?.value).toEqual([{ kind: "uri", value: "spiffe://cluster.local" }]);
  }
});

test("a leaf has an empty subject, one critical URI, both purposes and nothing to sign certificates with", () => {
  const leaf = new X509Certificate(unwrap(leafAt(NOW)));
  expect(leaf.subject).toBeFalsy();
  expect(leaf.subjectAltName).toBe(`URI:${WEB}`);
  expect(leaf.ca).toBe(false);
  expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  expect(parseCertificate(leaf.raw)).toMatchObject({
    value: { keyUsage: { critical: true, value: new Set(["digitalSignature"]) }, subjectAltNames: { critical: true } },
  });
});

test("a leaf begins two minutes ago and ends when asked", () => {
  expect(parseCertificate(unwrap(leafAt(NOW, HOUR_MS)))).toMatchObject({
    value: { notBefore: NOW - 2 * MINUTE_MS, notAfter: NOW + HOUR_MS },
  });
});

test("no certificate outlives its issuer", () => {
  const late = issuing.facts.notAfter - HOUR_MS;
  expect(parseCertificate(unwrap(leafAt(late)))).toMatchObject({ value: { notAfter: issuing.facts.notAfter } });
  const lateForRoot = { now: root.facts.notAfter - HOUR_MS, random: randomBytes };
  expect(unwrap(createIssuing(root, trustDomain, lateForRoot)).facts.notAfter).toBe(root.facts.notAfter);
});

test("an issuer that has expired signs nothing, and says so", () => {
  expect(leafAt(issuing.facts.notAfter)).toMatchObject({
    ok: false,
    error: expect.stringContaining("expired at 2027"),
  });
});

test("a serving certificate has DNS names besides its identity", () => {
  const dnsNames = ["heddle-control-plane.heddle-system.svc"];
  const request = { id, publicKey: generateKeyPair().publicKey, lifetimeMs: DAY_MS, dnsNames };
  const leaf = new X509Certificate(unwrap(issueLeaf(issuing, request, surroundings)));
  expect(leaf.checkHost("heddle-control-plane.heddle-system.svc")).toBe("heddle-control-plane.heddle-system.svc");
  expect(verifySvid([leaf.raw, issuing.certificate], bundle(), NOW)).toMatchObject({ value: { id: WEB } });
});

test("a serial number is positive, has 16 bytes, and is in the shortest form, whatever is drawn", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (drawn) => {
      const made = createRoot(trustDomain, { now: NOW, random: () => drawn });
      expect(made.facts.serial).toHaveLength(32);
      expect(Number.parseInt(made.facts.serial.slice(0, 2), 16)).toBeGreaterThan(0);
      expect(Number.parseInt(made.facts.serial.slice(0, 2), 16)).toBeLessThan(0x80);
    }),
    { numRuns: 50 },
  );
});

test("certificates under one issuer have different serial numbers", () => {
  const serials = Array.from({ length: 50 }, () => unwrap(parseCertificate(unwrap(leafAt(NOW)))).serial);
  expect(new Set(serials).size).toBe(50);
});

test("key identifiers lead from leaf to issuing CA to root", () => {
  const [leafX509, issuingX509, rootX509] = [unwrap(leafAt(NOW)), issuing.certificate, root.certificate].map(
    (der) => new X509Certificate(der),
  );
  expect(issuingX509 && leafX509?.checkIssued(issuingX509)).toBe(true);
  expect(rootX509 && issuingX509?.checkIssued(rootX509)).toBe(true);
  expect(rootX509 && leafX509?.checkIssued(rootX509)).toBe(false);
});

test("a chain that was issued verifies from its first second to its last, and not outside", () => {
  const chain = [unwrap(leafAt(NOW, HOUR_MS)), issuing.certificate];
  const at = (now: number) => verifySvid(chain, bundle(), now);
  expect([at(NOW - 2 * MINUTE_MS).ok, at(NOW + HOUR_MS - 1).ok]).toEqual([true, true]);
  expect(at(NOW - 2 * MINUTE_MS - 1)).toMatchObject({ error: { reason: "certificate-not-yet-valid" } });
  expect(at(NOW + HOUR_MS)).toMatchObject({ error: { reason: "certificate-expired" } });
});

function bundle() {
  return { trustDomain, roots: [root.certificate] };
}
