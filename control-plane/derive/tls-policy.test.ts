import { expect, test } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { formatCertificates } from "#certs/x509/pem.ts";
import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import { configMapYaml, type Fields, objectMap, serviceYaml, tlsPolicyYaml } from "../testing/objects.ts";
import { derivedStatuses } from "./derived-status.ts";
import { MeshModel } from "./mesh-model.ts";
import { objectWarnings } from "./object-warnings.ts";

const CONTEXT = {
  trustDomain: unwrap(parseTrustDomain("cluster.local")),
  cluster: "Kubernetes",
  rootNamespace: "root",
};
const [OLD, YOUNG] = ["2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"].map((creationTimestamp) => ({
  creationTimestamp,
}));
const PAY = "shop/pay.shop.svc.cluster.local";

const authority = testAuthority();
const root = Buffer.from(authority.root.certificate);
const PEM = formatCertificates([root]);
const pay = serviceYaml("shop/pay", {
  ports: [
    { name: "https", port: 443 },
    { name: "admin", port: 8443 },
    { name: "dns", port: 53, protocol: "UDP" },
  ],
});
const ca = configMapYaml("shop/ca", { "ca.crt": PEM, other: { not: "text" } });

const modelOf = (...objects: readonly Fields[]): MeshModel => {
  const model = new MeshModel(CONTEXT);
  model.apply(objectMap(...objects));
  return model;
};
const tlsAt = (model: MeshModel, port: number) => model.backends.policies().get(PAY)?.tls.get(port);
const conditions = ({ backends }: MeshModel, policy: string) =>
  (backends.statuses().get(`BackendTLSPolicy shop/${policy}`) ?? []).map(({ ancestorRef, conditions }) =>
    [
      ancestorRef.sectionName ?? "*",
      ...conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`),
    ].join(", "),
  );
const ACCEPTED = "*, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs";

test("a policy for a Service holds at all its TCP ports, with the certificates that its ConfigMap has", () => {
  const subjectAltNames = [
    { type: "Hostname", hostname: "*.example.org" },
    { type: "URI", uri: "spiffe://example.org/pay" },
  ];
  const model = modelOf(pay, ca, tlsPolicyYaml("shop/p", ["pay"], { subjectAltNames }));
  const tls = {
    kind: "verified",
    hostname: "pay.example.org",
    subjectAltNames: [
      { kind: "hostname", value: "*.example.org" },
      { kind: "uri", value: "spiffe://example.org/pay" },
    ],
    roots: [root],
  };
  expect(model.backends.policies().get(PAY)?.tls).toEqual(new Map([443, 8443].map((port) => [port, tls])));
  expect(conditions(model, "p")).toEqual([ACCEPTED]);
  expect(derivedStatuses(model)).toMatchObject([
    { kind: "BackendTLSPolicy", apiVersion: "gateway.networking.k8s.io/v1" },
  ]);
});

test("a policy for a port goes before the one for its Service, and neither is in conflict", () => {
  const model = modelOf(
    pay,
    ca,
    tlsPolicyYaml("shop/whole", ["pay"], { hostname: "whole.example.org" }, OLD),
    tlsPolicyYaml("shop/port", ["pay#admin"], { hostname: "port.example.org" }, YOUNG),
  );
  expect([tlsAt(model, 443), tlsAt(model, 8443)]).toMatchObject([
    { hostname: "whole.example.org" },
    { hostname: "port.example.org" },
  ]);
  expect(conditions(model, "whole")).toEqual([ACCEPTED]);
  expect(conditions(model, "port")).toEqual(["admin, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs"]);
});

test("of several policies for the same the oldest counts, also where it cannot be applied: nothing goes out in clear", () => {
  const model = modelOf(
    pay,
    ca,
    tlsPolicyYaml("shop/a", ["pay"], {}, YOUNG),
    tlsPolicyYaml("shop/b", ["pay"], { caCertificateRefs: [], wellKnownCACertificates: "System" }, OLD),
  );
  expect(tlsAt(model, 443)).toMatchObject({
    kind: "unusable",
    reason: expect.stringContaining("BackendTLSPolicy shop/b"),
  });
  expect(conditions(model, "a")[0]).toMatch(/Accepted=False Conflicted/);
  expect(conditions(model, "b")[0]).toMatch(/Accepted=False Invalid/);
});

test.each<[string, readonly Fields[], Fields, RegExp, string]>([
  ["no ConfigMap", [], {}, /ConfigMap shop\/ca is not there/, "InvalidCACertificateRef"],
  [
    "a ConfigMap without ca.crt",
    [configMapYaml("shop/ca", { "tls.crt": PEM })],
    {},
    /has no ca\.crt/,
    "InvalidCACertificateRef",
  ],
  [
    "a ConfigMap with something else",
    [configMapYaml("shop/ca", { "ca.crt": "x" })],
    {},
    /no PEM block/,
    "InvalidCACertificateRef",
  ],
  [
    "a certificate that is no authority's",
    [configMapYaml("shop/ca", { "ca.crt": formatCertificates(authority.credentials("shop/web").chain.slice(0, 1)) })],
    {},
    /not one of an authority/,
    "InvalidCACertificateRef",
  ],
  [
    "bytes that are no certificate",
    [configMapYaml("shop/ca", { "ca.crt": formatCertificates([Uint8Array.of(1, 2, 3)]) })],
    {},
    /not one of an authority/,
    "InvalidCACertificateRef",
  ],
  [
    "another namespace's ConfigMap",
    [configMapYaml("bank/ca", { "ca.crt": PEM })],
    {},
    /is not there/,
    "InvalidCACertificateRef",
  ],
  [
    "a Secret",
    [],
    { caCertificateRefs: [{ group: "", kind: "Secret", name: "ca" }] },
    /Secret ca is no ConfigMap/,
    "InvalidKind",
  ],
])("with %s requests are refused, and the policy says why", (_, objects, validation, reason, word) => {
  const model = modelOf(pay, ...objects, tlsPolicyYaml("shop/p", ["pay"], validation));
  expect(tlsAt(model, 443)).toMatchObject({ kind: "unusable", reason: expect.stringMatching(reason) });
  expect(conditions(model, "p")).toEqual([`*, Accepted=False NoValidCACertificate, ResolvedRefs=False ${word}`]);
  const warnings = objectWarnings(model.tables, "root", new Map(), model.backends.statuses());
  expect(warnings.get("BackendTLSPolicy shop/p")).toEqual([
    expect.stringMatching(reason),
    expect.stringMatching(/^ResolvedRefs=False/),
  ]);
});

test("of several references the good ones are trusted, and the bad one is said", () => {
  const caCertificateRefs = ["ca", "gone"].map((name) => ({ group: "", kind: "ConfigMap", name }));
  const model = modelOf(pay, ca, tlsPolicyYaml("shop/p", ["pay"], { caCertificateRefs }));
  expect(tlsAt(model, 443)).toMatchObject({ kind: "verified", roots: [root] });
  expect(conditions(model, "p")).toEqual(["*, Accepted=True Accepted, ResolvedRefs=False InvalidCACertificateRef"]);
});

test("a Service or port that is not there is said", () => {
  const model = modelOf(pay, ca, tlsPolicyYaml("shop/p", ["none", "pay#dns", "pay#nope"]));
  expect(conditions(model, "p").map((text) => text.split(", ")[1])).toEqual([
    "Accepted=False TargetNotFound",
    "Accepted=False TargetNotFound",
    "Accepted=False TargetNotFound",
  ]);
  expect(model.backends.policies().size).toBe(0);
});

test("a ConfigMap that comes later is taken up, and one that goes is missed", () => {
  const model = modelOf(pay, tlsPolicyYaml("shop/p", ["pay"]));
  expect(tlsAt(model, 443)?.kind).toBe("unusable");
  expect([...model.apply(objectMap(ca)).backends.keys()]).toEqual([PAY]);
  expect(tlsAt(model, 443)?.kind).toBe("verified");
  expect(conditions(model, "p")).toEqual([ACCEPTED]);
  model.apply(new Map([["ConfigMap shop/ca", undefined]]));
  expect(tlsAt(model, 443)?.kind).toBe("unusable");
});
