import { expect, test } from "vitest";
import type { MeshObject } from "#mesh/objects/mesh-object.ts";
import { unwrap } from "#mesh/result.ts";
import type { ServiceName } from "#mesh/service.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import { type Fields, objectMap, peerAuthenticationYaml, podYaml, serviceYaml, sliceYaml } from "../testing/objects.ts";
import { MeshModel } from "./mesh-model.ts";

const CONTEXT = {
  trustDomain: unwrap(parseTrustDomain("cluster.local")),
  cluster: "Kubernetes",
  rootNamespace: "istio-system",
};

const modelOf = (...objects: readonly Fields[]) => {
  const model = new MeshModel(CONTEXT);
  model.apply(objectMap(...objects));
  return model;
};

const pod = (model: MeshModel, name: string) => model.workload(`Kubernetes//Pod/${name}`);

/** Name of each endpoint and the ports it serves, as "service port -> own port". */
const endpoints = (model: MeshModel, service: string) =>
  Object.fromEntries(
    model
      .endpoints(`${service}.svc.cluster.local` as ServiceName)
      .map((workload) => [
        workload.uid.split("/").slice(2).join("/"),
        [...workload.services.values()].flat().map(({ servicePort, targetPort }) => `${servicePort}->${targetPort}`),
      ]),
  );

test("a pod that has an address is a workload: who it is, where it runs, how it is reached", () => {
  const model = modelOf(
    podYaml("shop/web-0", { ip: "10.0.0.1", account: "web", labels: { app: "web", version: "v2" } }),
  );
  expect(pod(model, "shop/web-0")).toEqual({
    uid: "Kubernetes//Pod/shop/web-0",
    name: "web-0",
    namespace: "shop",
    addresses: ["10.0.0.1"],
    node: "node-1",
    cluster: "Kubernetes",
    network: "",
    trustDomain: "cluster.local",
    serviceAccount: "web",
    tunnel: "hbone",
    health: "healthy",
    hostNetwork: false,
    owner: { kind: "pod", name: "web-0" },
    canonicalName: "web",
    canonicalRevision: "v2",
    locality: { region: "", zone: "", subzone: "" },
    services: new Map(),
    policies: [],
  });
});

test.each([
  ["without an address", {}],
  ["that succeeded", { ip: "10.0.0.1", phase: "Succeeded" }],
  ["that failed", { ip: "10.0.0.1", phase: "Failed" }],
])("a pod %s is no workload", (_, fields) => {
  expect(pod(modelOf(podYaml("shop/web", fields)), "shop/web")).toBe(undefined);
});

test.each([
  ["ready", {}, "healthy"],
  ["not ready", { ready: false }, "unhealthy"],
  ["being deleted", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }, "unhealthy"],
])("a pod that is %s is %s", (_, fields, health) => {
  expect(pod(modelOf(podYaml("shop/web", { ip: "10.0.0.1", ...fields })), "shop/web")?.health).toBe(health);
});

test.each([
  ["captured", {}, "hbone"],
  ["not captured", { captured: false }, "none"],
  ["on the host's network, whatever it claims", { spec: { hostNetwork: true } }, "none"],
])("a pod that is %s has tunnel %s", (_, fields, tunnel) => {
  expect(pod(modelOf(podYaml("shop/web", { ip: "10.0.0.1", ...fields })), "shop/web")?.tunnel).toBe(tunnel);
});

const PORTS = [{ port: 80, targetPort: 8080 }];
const web = (fields: Fields = {}) => podYaml("shop/web", { ip: "10.0.0.1", labels: { app: "web" }, ...fields });

test("a service has its addresses and TCP ports; a named target port has no number of its own", () => {
  const ports = [
    { name: "http", port: 80, targetPort: "web" },
    { name: "grpc-api", port: 81 },
    { name: "dns", port: 53, protocol: "UDP" },
  ];
  const spec = { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1", "fd00::1"], ports, publishNotReadyAddresses: true };
  const model = modelOf(serviceYaml("shop/web", spec));
  expect([...model.services()]).toEqual([
    [
      "shop/web.shop.svc.cluster.local",
      {
        name: "web",
        namespace: "shop",
        hostname: "web.shop.svc.cluster.local",
        addresses: ["10.96.0.1", "fd00::1"],
        network: "",
        ports: [
          { port: 80, targetPort: 0, protocol: "http1" },
          { port: 81, targetPort: 81, protocol: "grpc" },
        ],
        sendToUnready: true,
      },
    ],
  ]);
});

test.each([
  ["with a virtual address", { clusterIP: "10.96.0.1" }],
  ["that is headless", { clusterIP: "None" }],
])("behind a service %s are the pods of its own namespace that it selects", (_, spec) => {
  const model = modelOf(
    serviceYaml("shop/web", { ...spec, selector: { app: "web" }, ports: PORTS }),
    web(),
    podYaml("shop/other", { ip: "10.0.0.2", labels: { app: "other" } }),
    podYaml("bank/web", { ip: "10.0.0.3", labels: { app: "web" } }),
  );
  expect(endpoints(model, "shop/web.shop")).toEqual({ "Pod/shop/web": ["80->8080"] });
});

test("a named target port is each pod's own; a pod without it does not serve the port", () => {
  const model = modelOf(
    serviceYaml("shop/web", { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }] }),
    web({ ports: { http: 8080 } }),
    podYaml("shop/new", { ip: "10.0.0.2", labels: { app: "web" }, ports: { http: 9090 } }),
    podYaml("shop/odd", { ip: "10.0.0.3", labels: { app: "web" }, ports: { admin: 9090 } }),
  );
  expect(endpoints(model, "shop/web.shop")).toEqual({
    "Pod/shop/web": ["80->8080"],
    "Pod/shop/new": ["80->9090"],
    "Pod/shop/odd": [],
  });
});

test("a pod that is not ready stays an endpoint, unhealthy", () => {
  const model = modelOf(serviceYaml("shop/web", { selector: { app: "web" }, ports: PORTS }), web({ ready: false }));
  expect(endpoints(model, "shop/web.shop")).toEqual({ "Pod/shop/web": ["80->8080"] });
});

test("an ExternalName is no service of the mesh", () => {
  const model = modelOf(
    serviceYaml("shop/web", { type: "ExternalName", selector: { app: "web" }, ports: PORTS }),
    web(),
  );
  expect([...model.services().keys()]).toEqual([]);
  expect(endpoints(model, "shop/web.shop")).toEqual({});
});

const slice = (endpointsOfSlice: readonly Fields[], port = 8080) =>
  sliceYaml("shop/web-1", "web", { endpoints: endpointsOfSlice, ports: [{ port }] });

test("where a service has slices they alone say who is behind it, and on which port", () => {
  const model = modelOf(
    serviceYaml("shop/web", { selector: { app: "web" }, ports: PORTS }),
    web(),
    podYaml("shop/picked", { ip: "10.0.0.2" }),
    slice([{ addresses: ["10.0.0.2"], targetRef: { kind: "Pod", name: "picked" } }], 7070),
  );
  expect(endpoints(model, "shop/web.shop")).toEqual({ "Pod/shop/picked": ["80->7070"] });
});

test("an address in a slice that is no pod's becomes a workload of its own, in plaintext", () => {
  const model = modelOf(
    serviceYaml("shop/web", { ports: PORTS }),
    slice([
      { addresses: ["192.0.2.7"], nodeName: "n9" },
      { addresses: ["192.0.2.8"], conditions: { ready: false } },
    ]),
  );
  expect(endpoints(model, "shop/web.shop")).toEqual({
    "EndpointSlice/shop/web-1/192.0.2.7": ["80->8080"],
    "EndpointSlice/shop/web-1/192.0.2.8": ["80->8080"],
  });
  const uid = "Kubernetes/discovery.k8s.io/EndpointSlice/shop/web-1/192.0.2";
  expect(model.workload(`${uid}.7`)).toMatchObject({
    tunnel: "none",
    node: "n9",
    health: "healthy",
    addresses: ["192.0.2.7"],
  });
  expect(model.workload(`${uid}.8`)?.health).toBe("unhealthy");
});

test("an address in a slice that is a pod's is that pod, with its tunnel, in whatever namespace the slice is", () => {
  const model = modelOf(
    podYaml("bank/vault", { ip: "10.0.0.9" }),
    serviceYaml("shop/web", { ports: PORTS }),
    slice([{ addresses: ["10.0.0.9"] }]),
  );
  expect(endpoints(model, "shop/web.shop")).toEqual({ "Pod/bank/vault": ["80->8080"] });
  expect([...model.workloads()].map(({ tunnel }) => tunnel)).toEqual(["hbone"]);
});

test("an endpoint that its slice calls not ready is none, however the pod feels", () => {
  const endpoint = { addresses: ["10.0.0.1"], targetRef: { kind: "Pod", name: "web" }, conditions: { ready: false } };
  expect(
    endpoints(modelOf(serviceYaml("shop/web", { ports: PORTS }), web(), slice([endpoint])), "shop/web.shop"),
  ).toEqual({});
});

test.each([["127.0.0.1"], ["169.254.169.254"], ["0.0.0.0"], ["224.0.0.1"]])("%s is no endpoint", (address) => {
  const model = modelOf(serviceYaml("shop/web", { ports: PORTS }), slice([{ addresses: [address] }]));
  expect(endpoints(model, "shop/web.shop")).toEqual({});
});

test("the slices of both families make one endpoint", () => {
  const targetRef = { kind: "Pod", name: "web" };
  const model = modelOf(
    serviceYaml("shop/web", { ports: PORTS }),
    web({ ips: ["10.0.0.1", "fd00::1"] }),
    slice([{ addresses: ["10.0.0.1"], targetRef }]),
    sliceYaml("shop/web-2", "web", {
      addressType: "IPv6",
      endpoints: [{ addresses: ["fd00::1"], targetRef }],
      ports: [{ port: 8080 }],
    }),
  );
  expect(endpoints(model, "shop/web.shop")).toEqual({ "Pod/shop/web": ["80->8080"] });
});

test("slices of services with several ports are joined by the ports' names", () => {
  const ports = [
    { name: "a", port: 80 },
    { name: "b", port: 81 },
  ];
  const model = modelOf(
    serviceYaml("shop/web", { ports }),
    sliceYaml("shop/web-1", "web", {
      endpoints: [{ addresses: ["192.0.2.7"] }],
      ports: [
        { name: "b", port: 8081 },
        { name: "c", port: 8082 },
      ],
    }),
  );
  expect(Object.values(endpoints(model, "shop/web.shop"))).toEqual([["81->8081"]]);
});

test("the order in which slices come changes nothing", () => {
  const targetRef = { kind: "Pod", name: "web" };
  const fields = (port: number) => ({ endpoints: [{ addresses: ["10.0.0.1"], targetRef }], ports: [{ port }] });
  const slices = [sliceYaml("shop/s1", "web", fields(7001)), sliceYaml("shop/s2", "web", fields(7002))];
  const others = [serviceYaml("shop/web", { ports: PORTS }), web()];
  for (const order of [slices, slices.toReversed()]) {
    expect(endpoints(modelOf(...others, ...order), "shop/web.shop")).toEqual({
      "Pod/shop/web": ["80->7001", "80->7002"],
    });
  }
});

const STRICT = { mtls: { mode: "STRICT" } };
const selector = { matchLabels: { app: "web" } };

test.each<[string, readonly Fields[], string, readonly string[]]>([
  ["nothing", [], "PERMISSIVE", []],
  [
    "mesh STRICT",
    [peerAuthenticationYaml("istio-system/p", STRICT)],
    "STRICT",
    ["istio-system/istio_converted_static_strict"],
  ],
  [
    "namespace STRICT",
    [peerAuthenticationYaml("shop/p", STRICT)],
    "STRICT",
    ["istio-system/istio_converted_static_strict"],
  ],
  ["another namespace STRICT", [peerAuthenticationYaml("bank/p", STRICT)], "PERMISSIVE", []],
  [
    "namespace STRICT, workload PERMISSIVE",
    [
      peerAuthenticationYaml("shop/p", STRICT),
      peerAuthenticationYaml("shop/q", { selector, mtls: { mode: "PERMISSIVE" } }),
    ],
    "PERMISSIVE",
    [],
  ],
  [
    "a port exception to what is inherited",
    [
      peerAuthenticationYaml("istio-system/p", STRICT),
      peerAuthenticationYaml("shop/q", { selector, portLevelMtls: { 8080: { mode: "PERMISSIVE" } } }),
    ],
    "STRICT",
    ["shop/converted_peer_authentication_q"],
  ],
  [
    "a selector in the root namespace",
    [peerAuthenticationYaml("istio-system/p", { ...STRICT, selector })],
    "PERMISSIVE",
    [],
  ],
])("PeerAuthentication %s: mode and policies of a workload", (_, policies, mode, names) => {
  const model = modelOf(web(), ...policies);
  expect(model.modeOf("Kubernetes//Pod/shop/web")).toBe(mode);
  expect(pod(model, "shop/web")?.policies).toEqual(names);
  for (const name of names) expect([...model.policies().keys()]).toContain(name);
});

test("a selector in the root namespace selects nothing there either", () => {
  const model = modelOf(
    podYaml("istio-system/web", { ip: "10.0.0.1", labels: { app: "web" } }),
    peerAuthenticationYaml("istio-system/p", { ...STRICT, selector }),
  );
  expect(pod(model, "istio-system/web")?.policies).toEqual([]);
});

test("nothing is remembered of a workload that is gone", () => {
  const model = modelOf(web(), peerAuthenticationYaml("shop/p", STRICT));
  expect(model.modeOf("Kubernetes//Pod/shop/web")).toBe("STRICT");
  model.apply(new Map<string, MeshObject | undefined>([["Pod shop/web", undefined]]));
  expect(model.modeOf("Kubernetes//Pod/shop/web")).toBe("PERMISSIVE");
});

test("a node may have certificates for the service accounts of pods on it that have not ended", () => {
  const model = modelOf(
    podYaml("shop/web", { account: "web" }),
    podYaml("shop/done", { account: "batch", phase: "Succeeded" }),
    podYaml("shop/far", { account: "far", node: "node-2" }),
    podYaml("shop/nowhere", { account: "new", node: "" }),
  );
  expect(model.isScheduled("node-1", "shop", "web")).toBe(true);
  for (const account of ["batch", "far", "new", "default"])
    expect(model.isScheduled("node-1", "shop", account)).toBe(false);
  expect(model.isScheduled("", "shop", "new")).toBe(false);
  model.apply(new Map<string, MeshObject | undefined>([["Pod shop/web", undefined]]));
  expect(model.isScheduled("node-1", "shop", "web")).toBe(false);
});

test("one pod's change derives that pod again and nothing else", () => {
  const pods = Array.from({ length: 20 }, (_, index) =>
    podYaml(`shop/web-${index}`, { ip: `10.0.0.${index}`, labels: { app: "web" } }),
  );
  const model = modelOf(serviceYaml("shop/web", { selector: { app: "web" }, ports: PORTS }), ...pods);
  const change = model.apply(
    objectMap(podYaml("shop/web-3", { ip: "10.0.0.3", labels: { app: "web" }, ready: false })),
  );
  expect([...change.workloads.keys()]).toEqual(["Kubernetes//Pod/shop/web-3"]);
  expect([...change.services.keys(), ...change.policies.keys()]).toEqual([]);
});
