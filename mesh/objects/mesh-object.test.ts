import { expect, test } from "vitest";
import { unwrap } from "../result.ts";
import { isMeshKind, objectKey, readMeshObject } from "./mesh-object.ts";
import type { PeerAuthenticationObject } from "./peer-authentication.ts";
import { isToBeEnrolled, type PodObject } from "./pod.ts";
import type { Problem } from "./reader.ts";
import { declaredProtocol, type ServiceObject } from "./service.ts";

const problemsOf = (value: unknown): readonly Problem[] => {
  const read = readMeshObject(value);
  return read.ok ? [] : read.error;
};

const pathsOf = (value: unknown): readonly string[] => problemsOf(value).map(({ path }) => path);

const pod = (spec: object, rest: object = {}): unknown => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web-0", namespace: "shop" },
  spec: { containers: [{ name: "web" }], ...spec },
  ...rest,
});

const service = (spec: object, name = "web"): unknown => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec,
});

const peerAuthentication = (spec: object): unknown => ({
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: { name: "default", namespace: "shop" },
  spec,
});

test("every problem of an object is found at once, each with its path", () => {
  const value = {
    ...(service({
      ports: [{ port: 0 }, { name: "x", port: 80, targetPort: "Not A Name", protocol: "HTTP" }],
      selector: { app: 7 },
      publishNotReadyAddresses: "yes",
    }) as object),
    metadata: { namespace: "Shop" },
  };
  expect(pathsOf(value)).toEqual([
    "metadata.name",
    "metadata.namespace",
    'spec.selector["app"]',
    "spec.publishNotReadyAddresses",
    "spec.ports[0].port",
    "spec.ports[1].targetPort",
    "spec.ports[1].protocol",
    "spec.ports[0].name",
  ]);
});

test("a kind that the mesh does not read is no mistake of the object", () => {
  expect(isMeshKind("Deployment")).toBe(false);
  expect(isMeshKind("Pod")).toBe(true);
});

test("another version of a known kind is refused, with the versions that are read", () => {
  expect(problemsOf({ apiVersion: "v2", kind: "Pod" })).toEqual([
    { path: "apiVersion", message: "must be v1, not v2" },
  ]);
});

test.each([null, 7, "text", [], undefined])("%j is no object, and nothing breaks", (value) => {
  expect(readMeshObject(value).ok).toBe(false);
});

test("a value of the wrong shape is a problem wherever it stands", () => {
  expect(pathsOf({ apiVersion: "v1", kind: "Pod", metadata: [], spec: "x" })).toEqual(["metadata", "spec"]);
  expect(pathsOf(pod({ containers: { name: "x" } }))).toEqual(["spec.containers"]);
  expect(pathsOf(pod({}))).toEqual([]);
});

test("X-10: keys like __proto__ mean nothing", () => {
  const hostile: unknown = JSON.parse(
    '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","__proto__":{"namespace":"evil"}},"spec":{"containers":[],"__proto__":{"nodeName":"evil"}}}',
  );
  const read = unwrap(readMeshObject(hostile)) as PodObject;
  expect([read.metadata.namespace, read.nodeName]).toEqual(["default", ""]);
});

test("a pod's addresses, readiness and end are read from its status", () => {
  const status = {
    phase: "Running",
    podIP: "10.244.1.10",
    podIPs: [{ ip: "10.244.1.10" }, { ip: "fd00::A" }],
    conditions: [{ type: "Ready", status: "True" }],
  };
  const read = unwrap(readMeshObject(pod({}, { status }))) as PodObject;
  expect(read.status).toEqual({ phase: "Running", addresses: ["10.244.1.10", "fd00::a"], ready: true });
});

test("defaults are those of Kubernetes", () => {
  const read = unwrap(
    readMeshObject({ apiVersion: "v1", kind: "Pod", metadata: { name: "web-0" }, spec: { containers: [] } }),
  ) as PodObject;
  expect(read).toMatchObject({
    serviceAccount: "default",
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    status: { phase: "Pending", addresses: [], ready: false },
  });
  expect(objectKey(read)).toBe("Pod default/web-0");
});

test.each<[string, Record<string, string>, Record<string, string>, boolean, boolean]>([
  ["the namespace's label", { "istio.io/dataplane-mode": "ambient" }, {}, false, true],
  ["the pod's own label", {}, { "istio.io/dataplane-mode": "ambient" }, false, true],
  ["the pod's refusal", { "istio.io/dataplane-mode": "ambient" }, { "istio.io/dataplane-mode": "none" }, false, false],
  ["no label", {}, {}, false, false],
  ["the host's network", { "istio.io/dataplane-mode": "ambient" }, {}, true, false],
])("whether a pod takes part: %s", (_, namespaceLabels, labels, hostNetwork, takesPart) => {
  const read = unwrap(
    readMeshObject(pod({ hostNetwork }, { metadata: { name: "web-0", namespace: "shop", labels } })),
  ) as PodObject;
  expect(isToBeEnrolled(new Map(Object.entries(namespaceLabels)), read)).toBe(takesPart);
});

test("a container has the capabilities that it adds and drops; a privileged one has all, whatever it drops", () => {
  const capabilitiesOf = (securityContext: object) => {
    const read = unwrap(readMeshObject(pod({ containers: [{ name: "web", securityContext }] }))) as PodObject;
    return read.containers.map(({ addCapabilities, dropCapabilities }) => [addCapabilities, dropCapabilities]);
  };
  const capabilities = { add: ["NET_RAW"], drop: ["ALL"] };
  expect(capabilitiesOf({ capabilities })).toEqual([[["NET_RAW"], ["ALL"]]]);
  expect(capabilitiesOf({ privileged: false, capabilities })).toEqual([[["NET_RAW"], ["ALL"]]]);
  expect(capabilitiesOf({ privileged: true, capabilities })).toEqual([[["ALL"], []]]);
  expect(pathsOf(pod({ containers: [{ name: "web", securityContext: { privileged: "yes" } }] }))).toEqual([
    "spec.containers[0].securityContext.privileged",
  ]);
});

test("a headless service has no address, one without a selector selects nothing", () => {
  const headless = unwrap(readMeshObject(service({ clusterIP: "None", ports: [{ port: 80 }] }))) as ServiceObject;
  expect([headless.headless, headless.addresses, headless.selector]).toEqual([true, [], undefined]);
  const plain = unwrap(
    readMeshObject(service({ clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1", "fd00::1"], selector: { app: "web" } })),
  ) as ServiceObject;
  expect([plain.headless, plain.addresses, plain.selector]).toEqual([
    false,
    ["10.96.0.1", "fd00::1"],
    new Map([["app", "web"]]),
  ]);
});

test("a service may ask for families of addresses, which are named as in the API", () => {
  const families = (ipFamilies: unknown) => unwrap(readMeshObject(service({ ports: [], ipFamilies }))) as ServiceObject;
  expect(families(["IPv6", "IPv4"]).ipFamilies).toEqual([6, 4]);
  expect(families(undefined).ipFamilies).toEqual([]);
  expect(pathsOf(service({ ports: [], ipFamilies: ["IPv4", "ipv6"] }))).toEqual(["spec.ipFamilies[1]"]);
});

test.each([
  ["two ports without names", { ports: [{ port: 80 }, { port: 81 }] }, ["spec.ports[0].name", "spec.ports[1].name"]],
  [
    "one number twice",
    {
      ports: [
        { name: "a", port: 80 },
        { name: "b", port: 80 },
      ],
    },
    ["spec.ports[1]"],
  ],
  [
    "one number for two transports",
    {
      ports: [
        { name: "a", port: 53 },
        { name: "b", port: 53, protocol: "UDP" },
      ],
    },
    [],
  ],
])("a service with %s", (_, spec, paths) => {
  expect(pathsOf(service(spec))).toEqual(paths);
});

test("a service's name must be a DNS label, as it becomes a part of one", () => {
  expect(pathsOf(service({ ports: [] }, "web.v1"))).toEqual(["metadata.name"]);
});

test.each([
  [undefined, "http", "http1"],
  [undefined, "http-web", "http1"],
  [undefined, "http2-web", "http2"],
  [undefined, "grpc-web-x", "grpc"],
  [undefined, "mysql", "tcp"],
  [undefined, "web", "unknown"],
  ["kubernetes.io/h2c", "http", "http2"],
  ["gopher", "http", "unknown"],
])("appProtocol %s and port name %s declare %s", (appProtocol, name, protocol) => {
  expect(declaredProtocol(appProtocol, name)).toBe(protocol);
});

test("a PeerAuthentication is read to the letter", () => {
  const read = unwrap(
    readMeshObject(
      peerAuthentication({
        selector: { matchLabels: { app: "web" } },
        mtls: { mode: "STRICT" },
        portLevelMtls: { 8080: { mode: "PERMISSIVE" } },
      }),
    ),
  ) as PeerAuthenticationObject;
  expect([read.selector, read.mode, read.portModes]).toEqual([
    new Map([["app", "web"]]),
    "STRICT",
    new Map([[8080, "PERMISSIVE"]]),
  ]);
});

test.each([
  ["a misspelt field", { mtsl: { mode: "STRICT" } }, "spec.mtsl"],
  ["a mode in lower case", { mtls: { mode: "strict" } }, "spec.mtls.mode"],
  ["ports without a selector", { portLevelMtls: { 80: { mode: "STRICT" } } }, "spec.portLevelMtls"],
  [
    "a port that is none",
    { selector: { matchLabels: { a: "b" } }, portLevelMtls: { http: { mode: "STRICT" } } },
    'spec.portLevelMtls["http"]',
  ],
])("a PeerAuthentication with %s is refused: it would protect less than it says", (_, spec, path) => {
  expect(pathsOf(peerAuthentication(spec))).toEqual([path]);
});

test("an EndpointSlice of names is not supported, and says so", () => {
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "FQDN",
    endpoints: [{ addresses: ["example.com"] }],
  };
  expect(pathsOf(slice)).toEqual(["addressType"]);
  expect(pathsOf({ ...slice, addressType: "IPv4" })).toEqual(["endpoints[0].addresses[0]"]);
});
