import * as fc from "fast-check";
import { expect, test } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { formatCertificates } from "#certs/x509/pem.ts";
import { bundleBytes } from "../testing/resource-bytes.ts";
import { decodeTrustBundle } from "./trust-bundle.ts";

const authority = testAuthority();
const root = authority.root.certificate;
const leaf = authority.credentials("shop/web").chain[0] ?? new Uint8Array(0);

test("a bundle with several roots is taken over", () => {
  const second = testAuthority().root.certificate;
  const decoded = decodeTrustBundle("cluster.local", bundleBytes([root, second]));
  expect(decoded).toMatchObject({ ok: true, value: { trustDomain: "cluster.local" } });
  expect(decoded.ok && decoded.value.roots.map((each) => Buffer.from(each))).toEqual(
    [root, second].map((each) => Buffer.from(each)),
  );
});

test.each<[string, string, Uint8Array, RegExp]>([
  ["of another trust domain than its name says", "other", bundleBytes([root]), /not the resource's name/],
  ["of a trust domain that is none", "Cluster", bundleBytes([root], "Cluster"), /not a trust domain/],
  ["without roots", "cluster.local", bundleBytes([]), /would refuse everybody/],
  ["with too many roots", "cluster.local", bundleBytes(Array.from({ length: 17 }, () => root)), /17 roots/],
  ["with a leaf for a root", "cluster.local", bundleBytes([root, leaf]), /root 1 is not a certificate authority/],
  ["with a root that is none", "cluster.local", bundleBytes([Buffer.from("root")]), /not a trust bundle/],
  ["with a root of no bytes", "cluster.local", bundleBytes([new Uint8Array(0)]), /not a trust bundle/],
  [
    "with a root in PEM",
    "cluster.local",
    bundleBytes([Buffer.from(formatCertificates([root]))]),
    /root 0 is not the DER/,
  ],
  [
    "with something behind a root",
    "cluster.local",
    bundleBytes([Buffer.concat([root, root])]),
    /root 0 is not the DER/,
  ],
])("a bundle %s is refused", (_, name, bytes, problem) => {
  const decoded = decodeTrustBundle(name, bytes);
  expect(decoded.ok ? "taken" : decoded.error).toMatch(problem);
});

test("no bytes make the reader throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeTrustBundle("cluster.local", bytes)),
    { numRuns: 500 },
  );
});
