import { expect, test } from "vitest";

import {
  anyExtension,
  commonName,
  excludesHost,
  hostileCertificate,
  leafExtensions,
  uris,
  WEB,
} from "../testing/hostile-certificate.ts";
import { testAuthority } from "../testing/test-authority.ts";
import * as encode from "../x509/asn1/encode.ts";
import { OIDS } from "../x509/asn1/object-identifiers.ts";
import { basicConstraints, extendedKeyUsage, keyUsage, subjectAltNames } from "../x509/extensions.ts";
import { inspectLeaf } from "./leaf-inspection.ts";

const authority = testAuthority();
const signer = { subject: authority.issuing.facts.subject, key: authority.issuing.key };

type Changes = Parameters<typeof hostileCertificate>[1];

const inspect = (changes: Changes) => inspectLeaf(hostileCertificate(signer, changes));
const inspectUri = (uri: string) => inspect({ extensions: leafExtensions([uris(uri)]) });

const uri = { kind: "uri", value: WEB } as const;
const dns = { kind: "dns", value: "payments.shop.svc" } as const;

test.each<[string, Changes]>([
  ["as it should be", {}],
  ["without an extended key usage", { extensions: leafExtensions([], [OIDS.extendedKeyUsage]) }],
  ["with a third purpose", { extensions: leafExtensions([purposes("1.3.6.1.5.5.7.3.9")]) }],
  ["with keyEncipherment too", { extensions: leafExtensions([keyUsage("digitalSignature", "keyEncipherment")]) }],
  ["without basic constraints", { extensions: leafExtensions([], [OIDS.basicConstraints]) }],
  ["with an unknown extension that is not critical", withExtra("1.2.3.4", false)],
])("X509-SVID: a leaf %s is accepted", (_, changes) => {
  expect(inspect(changes)).toMatchObject({ ok: true, value: { id: WEB } });
});

test.each<[string, Changes, string]>([
  ["T-02 CA:TRUE", { extensions: leafExtensions([authorityConstraint()]) }, "ca-certificate"],
  [
    "T-02 keyCertSign",
    { extensions: leafExtensions([keyUsage("digitalSignature", "keyCertSign")]) },
    "wrong-key-usage",
  ],
  ["T-02 cRLSign", { extensions: leafExtensions([keyUsage("digitalSignature", "cRLSign")]) }, "wrong-key-usage"],
  ["T-02 no digitalSignature", { extensions: leafExtensions([keyUsage("keyAgreement")]) }, "wrong-key-usage"],
  ["T-02 no key usage", { extensions: leafExtensions([], [OIDS.keyUsage]) }, "wrong-key-usage"],
  ["T-02 a key usage not critical", { extensions: leafExtensions([optionalKeyUsage()]) }, "wrong-key-usage"],
  ["T-01 only serverAuth", { extensions: leafExtensions([extendedKeyUsage(OIDS.serverAuth)]) }, "wrong-purpose"],
  ["T-01 only clientAuth", { extensions: leafExtensions([extendedKeyUsage(OIDS.clientAuth)]) }, "wrong-purpose"],
  ["T-01 any purpose", { extensions: leafExtensions([anyPurpose()]) }, "wrong-purpose"],
  ["T-03 no SAN", { extensions: leafExtensions([], [OIDS.subjectAltName]) }, "no-uri-san"],
  ["T-03 no URI among the names", { extensions: leafExtensions([subjectAltNames([dns], true)]) }, "no-uri-san"],
  [
    "T-03 two URIs",
    { extensions: leafExtensions([uris(WEB, "spiffe://cluster.local/ns/a/sa/b")]) },
    "several-uri-sans",
  ],
  ["T-03 a second URI of another kind", { extensions: leafExtensions([uris(WEB, "https://x")]) }, "several-uri-sans"],
  ["T-03 a SAN not critical", { extensions: leafExtensions([subjectAltNames([uri], false)]) }, "san-not-critical"],
  ["T-06 a CN and no SAN", named("spiffe://cluster.local/ns/shop/sa/web"), "no-uri-san"],
  ["T-06 a DNS name like an ID", { extensions: leafExtensions([subjectAltNames([dnsLikeId()], true)]) }, "no-uri-san"],
  ["T-07 an unknown critical extension", withExtra("1.2.3.4", true), "unsupported-extension"],
  ["T-07 name constraints", { extensions: [...leafExtensions(), excludesHost("a", false)] }, "unsupported-extension"],
  ["T-07 SHA-1", { hash: "sha1" }, "weak-algorithm"],
  ["T-07 version 1", { version: encode.smallInteger(0) }, "malformed-certificate"],
  ["T-07 1 MB", { extensions: [...leafExtensions(), megabyte()] }, "malformed-certificate"],
])("%s is refused", (_, changes, reason) => {
  expect(inspect(changes)).toMatchObject({ ok: false, error: { reason } });
});

test.each([
  "",
  "spiffe://",
  "https://cluster.local/ns/shop/sa/web",
  "SPIFFE://cluster.local/ns/shop/sa/web",
  "spiffe:///ns/shop/sa/web",
  "spiffe://cluster.local",
  "spiffe://cluster.local/",
  "spiffe://cluster.local:443/ns/shop/sa/web",
  "spiffe://user@cluster.local/ns/shop/sa/web",
  "spiffe://cluster.local/ns/shop/sa/web?x=1",
  "spiffe://cluster.local/ns/shop/sa/web#x",
  "spiffe://Cluster.local/ns/shop/sa/web",
  "spiffe://cluster.local/ns/shop/sa/web/",
  "spiffe://cluster.local//ns/shop/sa/web",
  "spiffe://cluster.local/ns/../sa/web",
  "spiffe://cluster.local/ns/./sa/web",
  "spiffe://cluster.local/ns/sh%6fp/sa/web",
  "spiffe://cluster%2elocal/ns/shop/sa/web",
  "spiffe://cluster.local/ns/shop/sa/web\n",
  "spiffe://cluster.local/ns/shop/sa/web\0",
  "spiffe://cluster.local/ns/shop/sa/web, DNS:x",
  "spiffe://cluster.local/ns/shop/sa/w\u00e9b",
  "spiffe://cluster.local/shop/web",
  `spiffe://${"a".repeat(256)}/ns/shop/sa/web`,
  `spiffe://cluster.local/ns/shop/sa/${"w".repeat(2048)}`,
])("T-04 the URI %j is no SPIFFE ID of a workload", (text) => {
  expect(inspectUri(text)).toMatchObject({ ok: false, error: { reason: "invalid-spiffe-id" } });
});

test("T-04 an ID of 2,048 bytes is accepted", () => {
  const prefix = "spiffe://cluster.local/ns/shop/sa/";
  expect(inspectUri(prefix + "w".repeat(2048 - prefix.length)).ok).toBe(true);
  expect(inspectUri(prefix + "w".repeat(2049 - prefix.length)).ok).toBe(false);
});

test("T-06 neither DNS names nor the common name are an identity", () => {
  const leaf = inspect({
    subject: commonName("spiffe://cluster.local/ns/shop/sa/payments"),
    extensions: leafExtensions([subjectAltNames([dns, uri], false)]),
  });
  expect(leaf).toMatchObject({ ok: true, value: { id: WEB } });
});

test.each([`web.shop, URI:${WEB}`, `x", URI:"${WEB}`, `x\0URI:${WEB}`, `x\nURI:${WEB}`])(
  "T-21 a DNS name that looks like a list with a URI gives no identity: %j",
  (value) => {
    const names = subjectAltNames([{ kind: "dns", value }], true);
    expect(inspect({ extensions: leafExtensions([names]) })).toMatchObject({ error: { reason: "no-uri-san" } });
  },
);

test("T-21 a DNS name with a comma does not disturb the URI next to it", () => {
  const names = subjectAltNames([{ kind: "dns", value: "x, URI:spiffe://cluster.local/ns/a/sa/b" }, uri], true);
  expect(inspect({ extensions: leafExtensions([names]) })).toMatchObject({ ok: true, value: { id: WEB } });
});

test("a connection learns until when its identity holds", () => {
  const until = Date.parse("2031-05-06T07:08:09Z");
  expect(inspect({ notAfter: encode.time(until) })).toMatchObject({ value: { notAfter: until } });
});

function withExtra(oid: string, critical: boolean): Changes {
  return { extensions: [...leafExtensions(), anyExtension(oid, critical, encode.boolean(true))] };
}

function named(text: string): Changes {
  return { subject: commonName(text), extensions: leafExtensions([], [OIDS.subjectAltName]) };
}

function authorityConstraint() {
  return basicConstraints({ ca: true, pathLength: undefined });
}

function optionalKeyUsage() {
  return { ...keyUsage("digitalSignature"), critical: false };
}

function purposes(third: string) {
  const oid = anyExtension(third, false, encode.boolean(true)).id;
  return extendedKeyUsage(OIDS.serverAuth, OIDS.clientAuth, oid);
}

function anyPurpose() {
  return extendedKeyUsage(anyExtension("2.5.29.37.0", false, encode.boolean(true)).id);
}

function dnsLikeId() {
  return { kind: "dns", value: WEB } as const;
}

function megabyte() {
  return anyExtension("1.2.3.4", false, encode.octetString(Buffer.alloc(2 ** 20)));
}
