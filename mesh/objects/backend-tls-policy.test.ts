import { expect, test } from "vitest";
import { unwrap } from "../result.ts";
import { type Fields, gatewayObject, problemPaths } from "../testing/route-yaml.ts";
import { readMeshObject } from "./mesh-object.ts";

const REF = { group: "", kind: "ConfigMap", name: "ca" };
const policy = (validation: Fields = {}, spec: Fields = {}, version = "v1") =>
  gatewayObject(
    "BackendTLSPolicy",
    {
      targetRefs: [{ group: "", kind: "Service", name: "pay" }],
      validation: { caCertificateRefs: [REF], hostname: "pay.example.org", ...validation },
      ...spec,
    },
    version,
  );

test.each(["v1", "v1alpha3"])("a policy is read in version %s, with what it does not say left open", (version) => {
  expect(unwrap(readMeshObject(policy({}, { options: { "example.org/x": "y" } }, version)))).toMatchObject({
    kind: "BackendTLSPolicy",
    targets: [{ group: "", kind: "Service", name: "pay", sectionName: undefined }],
    caCertificateRefs: [REF],
    hostname: "pay.example.org",
    subjectAltNames: [],
    unsupported: [],
  });
});

test("the certificates of the system are known and not supported", () => {
  const read = unwrap(readMeshObject(policy({ caCertificateRefs: [], wellKnownCACertificates: "System" })));
  expect(read).toMatchObject({ unsupported: [{ path: "spec.validation.wellKnownCACertificates" }] });
});

test.each<[string, unknown, string]>([
  ["without a hostname", policy({ hostname: undefined }), "spec.validation.hostname"],
  ["with a hostname for many", policy({ hostname: "*.example.org" }), "spec.validation.hostname"],
  ["with nobody to trust", policy({ caCertificateRefs: [] }), "spec.validation"],
  ["with both", policy({ wellKnownCACertificates: "System" }), "spec.validation"],
  ["with a word that may be a mistake", policy({ hostnames: ["a"] }), "spec.validation.hostnames"],
  ["with no target", policy({}, { targetRefs: [] }), "spec.targetRefs"],
  [
    "with a name of no kind",
    policy({ subjectAltNames: [{ type: "Email" }] }),
    "spec.validation.subjectAltNames[0].type",
  ],
  [
    "with a URI that is none",
    policy({ subjectAltNames: [{ type: "URI", uri: "x" }] }),
    "spec.validation.subjectAltNames[0].uri",
  ],
  [
    "with a URI as hostname",
    policy({ subjectAltNames: [{ type: "Hostname", uri: "a:b" }] }),
    "spec.validation.subjectAltNames[0].hostname",
  ],
])("a policy %s is refused", (_, object, path) => {
  expect(problemPaths(object)).toContain(path);
});

test("of a ConfigMap only the certificates are read, and nothing else in it can be wrong", () => {
  const configMap = (data: unknown) =>
    unwrap(readMeshObject({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" }, data }));
  expect(configMap({ "ca.crt": "PEM", a: 1 })).toEqual({
    kind: "ConfigMap",
    metadata: expect.anything() as unknown,
    caCertificates: "PEM",
  });
  for (const data of [undefined, null, "x", [], { "ca.crt": 1 }]) {
    expect(configMap(data)).toMatchObject({ caCertificates: undefined });
  }
});
