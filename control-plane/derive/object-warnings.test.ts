import { expect, test } from "vitest";
import { type Fields, objectMap, peerAuthenticationYaml, podYaml, serviceYaml, sliceYaml } from "../testing/objects.ts";
import { ObjectTables } from "./object-tables.ts";
import { objectWarnings } from "./object-warnings.ts";

const warningsOf = (...objects: readonly Fields[]) => {
  const tables = new ObjectTables();
  for (const [key, object] of objectMap(...objects)) tables.set(key, object);
  return Object.fromEntries(objectWarnings(tables, "istio-system"));
};

const PORTS = [{ port: 80, targetPort: 8080 }];
const pod = podYaml("shop/web", { labels: { app: "web" } });
const selector = { app: "web" };

test("objects without anything strange about them have no warning", () => {
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace: "shop", name: "web" } };
  const spec = { selector, clusterIP: "10.96.0.1", ports: [{ port: 80, targetPort: "http" }] };
  const ports = { http: 8080 };
  expect(
    warningsOf(
      account,
      podYaml("shop/web", { labels: { app: "web" }, account: "web", ports }),
      serviceYaml("shop/web", spec),
      peerAuthenticationYaml("shop/p", { mtls: { mode: "STRICT" } }),
    ),
  ).toEqual({});
});

test.each<[string, readonly Fields[], string, RegExp]>([
  [
    "a pod of an account that is not there",
    [podYaml("shop/web", { account: "web" })],
    "Pod shop/web",
    /ServiceAccount shop\/web is not declared/,
  ],
  [
    "a captured pod on the host's network",
    [podYaml("shop/web", { spec: { hostNetwork: true } })],
    "Pod shop/web",
    /host's network/,
  ],
  ["an ExternalName", [serviceYaml("shop/web", { type: "ExternalName" })], "Service shop/web", /DNS alias/],
  [
    "a UDP port",
    [pod, serviceYaml("shop/web", { selector, ports: [{ port: 53, protocol: "UDP" }] })],
    "Service shop/web",
    /port 53\/UDP passes by/,
  ],
  [
    "a service of nobody",
    [serviceYaml("shop/web", { ports: PORTS })],
    "Service shop/web",
    /neither a selector nor an EndpointSlice/,
  ],
  ["a selector of nobody", [serviceYaml("shop/web", { selector, ports: PORTS })], "Service shop/web", /selects no pod/],
  [
    "a named port that no container has",
    [
      pod,
      podYaml("shop/web-2", { labels: { app: "web" } }),
      serviceYaml("shop/web", { selector, ports: [{ port: 80, targetPort: "http" }] }),
    ],
    "Service shop/web",
    /no container of Pod shop\/web and 1 more has a port named http/,
  ],
  [
    "an address of two services",
    [
      pod,
      serviceYaml("shop/web", { selector, ports: PORTS, clusterIP: "10.96.0.1" }),
      serviceYaml("bank/web", { ports: PORTS, clusterIP: "10.96.0.1" }),
    ],
    "Service shop/web",
    /10\.96\.0\.1 is also claimed by Service bank\/web/,
  ],
  [
    "a slice without a service",
    [sliceYaml("shop/s", "web", {})],
    "EndpointSlice shop/s",
    /Service shop\/web is not declared/,
  ],
  [
    "a slice that names none",
    [sliceYaml("shop/s", "", {})],
    "EndpointSlice shop/s",
    /label kubernetes\.io\/service-name is missing/,
  ],
  [
    "a slice of a pod that is not there",
    [
      serviceYaml("shop/web", { ports: PORTS }),
      sliceYaml("shop/s", "web", {
        ports: [{ port: 80 }],
        endpoints: [{ addresses: ["10.0.0.1"], targetRef: { kind: "Pod", name: "x" } }],
      }),
    ],
    "EndpointSlice shop/s",
    /Pod shop\/x is not declared/,
  ],
  [
    "a slice of the metadata service",
    [
      serviceYaml("shop/web", { ports: PORTS }),
      sliceYaml("shop/s", "web", { ports: [{ port: 80 }], endpoints: [{ addresses: ["169.254.169.254"] }] }),
    ],
    "EndpointSlice shop/s",
    /169\.254\.169\.254 is a link-local address/,
  ],
  [
    "a slice whose ports have other names",
    [
      serviceYaml("shop/web", { ports: [{ name: "http", port: 80 }] }),
      sliceYaml("shop/s", "web", { ports: [{ name: "web", port: 80 }] }),
    ],
    "EndpointSlice shop/s",
    /has no port named "http"/,
  ],
  [
    "DISABLE",
    [peerAuthenticationYaml("shop/p", { mtls: { mode: "DISABLE" } })],
    "PeerAuthentication shop/p",
    /treated as PERMISSIVE/,
  ],
  [
    "DISABLE of a port",
    [
      peerAuthenticationYaml("shop/p", {
        selector: { matchLabels: selector },
        portLevelMtls: { 80: { mode: "DISABLE" } },
      }),
    ],
    "PeerAuthentication shop/p",
    /treated as PERMISSIVE/,
  ],
  [
    "a selector in the root namespace",
    [peerAuthenticationYaml("istio-system/p", { selector: { matchLabels: selector } })],
    "PeerAuthentication istio-system/p",
    /selects nothing/,
  ],
  [
    "the younger of two policies for a namespace",
    [peerAuthenticationYaml("shop/a", {}), peerAuthenticationYaml("shop/b", {})],
    "PeerAuthentication shop/b",
    /PeerAuthentication shop\/a for the same namespace/,
  ],
])("%s is worth a warning", (_, objects, key, warning) => {
  expect(warningsOf(...objects)[key]?.join("; ")).toMatch(warning);
});
