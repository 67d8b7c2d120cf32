import { fromBinary, toJson } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { AuthorizationSchema } from "#api/gen/istio/security/authorization_pb.js";
import { AddressSchema } from "#api/gen/istio/workload/workload_pb.js";
import { TrustBundleSchema } from "#api/gen/heddle/trust/v1alpha1/trust_bundle_pb.js";
import { parseCidr } from "#mesh/cidr.ts";
import { parseIpAddress } from "#mesh/ip-address.ts";
import { unwrap } from "#mesh/result.ts";
import type { Service } from "#mesh/service.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import type { Workload } from "#mesh/workload.ts";
import { encodeAuthorization } from "./encode-authorization.ts";
import { encodeService } from "./encode-service.ts";
import { encodeTrustBundle } from "./encode-trust-bundle.ts";
import { encodeWorkload } from "./encode-workload.ts";

const ip = (text: string) => unwrap(parseIpAddress(text));
const cidr = (text: string) => unwrap(parseCidr(text));
const base64 = (...bytes: number[]) => Buffer.from(bytes).toString("base64");

const workload: Workload = {
  uid: "east//Pod/shop/web-0",
  name: "web-0",
  namespace: "shop",
  addresses: [ip("10.0.1.5"), ip("fd00::5")],
  node: "node-1",
  cluster: "east",
  network: "",
  trustDomain: unwrap(parseTrustDomain("mesh.example")),
  serviceAccount: "web",
  tunnel: "hbone",
  health: "unhealthy",
  hostNetwork: false,
  owner: { kind: "cronjob", name: "web" },
  canonicalName: "web",
  canonicalRevision: "v1",
  locality: { region: "r", zone: "z", subzone: "" },
  services: new Map([["shop/web.shop.svc.cluster.local", [{ servicePort: 80, targetPort: 8080, protocol: "http1" }]]]),
  policies: ["shop/p"],
};

const addressJson = (body: Uint8Array) => toJson(AddressSchema, fromBinary(AddressSchema, body));

test("a workload is encoded field by field", () => {
  const { name, aliases, body } = encodeWorkload(workload);
  expect(name).toBe("east//Pod/shop/web-0");
  expect(aliases).toEqual(["/10.0.1.5", "/fd00::5"]);
  expect(addressJson(body)).toEqual({
    workload: {
      uid: "east//Pod/shop/web-0",
      name: "web-0",
      namespace: "shop",
      addresses: [base64(10, 0, 1, 5), base64(0xfd, ...Array.from({ length: 14 }, () => 0), 5)],
      tunnelProtocol: "HBONE",
      trustDomain: "mesh.example",
      serviceAccount: "web",
      node: "node-1",
      canonicalName: "web",
      canonicalRevision: "v1",
      workloadType: "CRONJOB",
      workloadName: "web",
      authorizationPolicies: ["shop/p"],
      status: "UNHEALTHY",
      clusterId: "east",
      services: {
        "shop/web.shop.svc.cluster.local": { ports: [{ servicePort: 80, targetPort: 8080, appProtocol: "HTTP11" }] },
      },
      locality: { region: "r", zone: "z" },
    },
  });
});

test("what has a default on the wire is left out: cluster, trust domain, service account, no tunnel", () => {
  const plain: Workload = {
    ...workload,
    cluster: "Kubernetes",
    trustDomain: unwrap(parseTrustDomain("cluster.local")),
    serviceAccount: "default",
    tunnel: "none",
    health: "healthy",
    owner: { kind: "deployment", name: "web" },
    locality: { region: "", zone: "", subzone: "" },
  };
  const json = addressJson(encodeWorkload(plain).body) as { readonly workload: object };
  for (const field of [
    "clusterId",
    "trustDomain",
    "serviceAccount",
    "tunnelProtocol",
    "status",
    "workloadType",
    "locality",
  ]) {
    expect(json.workload).not.toHaveProperty(field);
  }
});

test("a workload on the host's network has no alias: others have its address too", () => {
  const { aliases, body } = encodeWorkload({ ...workload, hostNetwork: true });
  expect(aliases).toEqual([]);
  expect(addressJson(body)).toMatchObject({ workload: { networkMode: "HOST_NETWORK" } });
});

const service: Service = {
  name: "web",
  namespace: "shop",
  hostname: "web.shop.svc.cluster.local",
  addresses: [ip("10.96.0.1")],
  network: "",
  ports: [
    { port: 80, targetPort: 0, protocol: "http2" },
    { port: 81, targetPort: 8081, protocol: "tls" },
  ],
  sendToUnready: false,
};

test("a service is encoded field by field, as the canonical owner of its name", () => {
  const { name, aliases, body } = encodeService(service);
  expect([name, aliases]).toEqual(["shop/web.shop.svc.cluster.local", ["/10.96.0.1"]]);
  expect(addressJson(body)).toEqual({
    service: {
      name: "web",
      namespace: "shop",
      hostname: "web.shop.svc.cluster.local",
      addresses: [{ address: base64(10, 96, 0, 1) }],
      ports: [
        { servicePort: 80, appProtocol: "HTTP2" },
        { servicePort: 81, targetPort: 8081, appProtocol: "TLS" },
      ],
      canonical: true,
    },
  });
});

test("publishNotReadyAddresses lets every endpoint have traffic", () => {
  const { body } = encodeService({ ...service, sendToUnready: true });
  expect(addressJson(body)).toMatchObject({ service: { loadBalancing: { healthPolicy: "ALLOW_ALL" } } });
});

test("a policy is encoded field by field, what is excluded as its negation", () => {
  const { name, body } = encodeAuthorization({
    namespace: "shop",
    name: "p",
    scope: "selector",
    action: "deny",
    dryRun: true,
    rules: [
      [
        [
          {
            namespaces: { include: [{ kind: "prefix", value: "a" }], exclude: [{ kind: "suffix", value: "b" }] },
            principals: { include: [{ kind: "exact", value: "c" }], exclude: [{ kind: "presence" }] },
          },
          {
            sourceIps: { include: [cidr("10.0.0.0/8")], exclude: [cidr("fd00::/64")] },
            destinationIps: { include: [], exclude: [cidr("10.0.0.1")] },
            destinationPorts: { include: [80], exclude: [81] },
            serviceAccounts: { include: [{ namespace: "d", name: "e" }], exclude: [] },
          },
        ],
        [],
      ],
    ],
  });
  expect(name).toBe("shop/p");
  expect(toJson(AuthorizationSchema, fromBinary(AuthorizationSchema, body))).toEqual({
    name: "p",
    namespace: "shop",
    scope: "WORKLOAD_SELECTOR",
    action: "DENY",
    dryRun: true,
    rules: [
      {
        clauses: [
          {
            matches: [
              {
                namespaces: [{ prefix: "a" }],
                notNamespaces: [{ suffix: "b" }],
                principals: [{ exact: "c" }],
                notPrincipals: [{ presence: {} }],
              },
              {
                sourceIps: [{ address: base64(10, 0, 0, 0), length: 8 }],
                notSourceIps: [{ address: base64(0xfd, ...Array.from({ length: 15 }, () => 0)), length: 64 }],
                notDestinationIps: [{ address: base64(10, 0, 0, 1), length: 32 }],
                destinationPorts: [80],
                notDestinationPorts: [81],
                serviceAccounts: [{ namespace: "d", serviceAccount: "e" }],
              },
            ],
          },
          {},
        ],
      },
    ],
  });
});

test("a trust bundle is named after its trust domain", () => {
  const { name, body } = encodeTrustBundle({
    trustDomain: unwrap(parseTrustDomain("a.b")),
    roots: [Uint8Array.of(1, 2)],
  });
  expect(name).toBe("a.b");
  expect(toJson(TrustBundleSchema, fromBinary(TrustBundleSchema, body))).toEqual({
    trustDomain: "a.b",
    roots: [base64(1, 2)],
  });
});

test("a version depends on the content and on nothing else", () => {
  const { version } = encodeWorkload(workload);
  expect(version).toMatch(/^[0-9a-f]{16}$/);
  expect(encodeWorkload({ ...workload }).version).toBe(version);
  expect(encodeWorkload({ ...workload, node: "node-2" }).version).not.toBe(version);
});
