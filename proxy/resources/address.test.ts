import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  AddressSchema,
  AppProtocol,
  LoadBalancing_HealthPolicy,
  NetworkMode,
  type ServiceSchema,
  TunnelProtocol,
  type WorkloadSchema,
  WorkloadStatus,
  WorkloadType,
} from "#api/gen/istio/workload/workload_pb.js";
import type { Service } from "#mesh/service.ts";
import { ip } from "#mesh/testing/examples.ts";
import type { Workload } from "#mesh/workload.ts";
import { serviceBytes, WEB_0, WEB_SERVICE, workloadBytes } from "../testing/resource-bytes.ts";
import { decodeAddress } from "./address.ts";

const workload = (changes: MessageInitShape<typeof WorkloadSchema> = {}): Workload | string => {
  const decoded = decodeAddress(WEB_0, workloadBytes(changes));
  if (!decoded.ok) return decoded.error;
  return decoded.value.kind === "workload" ? decoded.value.workload : "a service";
};

const service = (changes: MessageInitShape<typeof ServiceSchema> = {}): Service | string => {
  const decoded = decodeAddress(WEB_SERVICE, serviceBytes(changes));
  if (!decoded.ok) return decoded.error;
  return decoded.value.kind === "service" ? decoded.value.service : "a workload";
};

test("a workload that says only what it must has the protocol's defaults", () => {
  expect(workload({ serviceAccount: "", tunnelProtocol: TunnelProtocol.NONE })).toEqual({
    uid: WEB_0,
    name: "web-0",
    namespace: "shop",
    addresses: [ip("10.244.1.10")],
    node: "",
    cluster: "Kubernetes",
    network: "",
    trustDomain: "cluster.local",
    serviceAccount: "default",
    tunnel: "none",
    health: "healthy",
    hostNetwork: false,
    owner: { kind: "deployment", name: "web-0" },
    canonicalName: "web-0",
    canonicalRevision: "latest",
    locality: { region: "", zone: "", subzone: "" },
    services: new Map(),
    policies: [],
  });
});

test("a workload that says everything is taken over whole", () => {
  const full = workload({
    addresses: [Uint8Array.of(10, 0, 0, 1), Uint8Array.from([0xfd, ...Array.from({ length: 14 }, () => 0), 1])],
    node: "node-1",
    clusterId: "west",
    network: "net",
    trustDomain: "example.org",
    status: WorkloadStatus.UNHEALTHY,
    networkMode: NetworkMode.HOST_NETWORK,
    workloadType: WorkloadType.JOB,
    workloadName: "batch",
    canonicalName: "app",
    canonicalRevision: "v2",
    locality: { region: "r", zone: "z", subzone: "s" },
    services: { [WEB_SERVICE]: { ports: [{ servicePort: 80, targetPort: 8080, appProtocol: AppProtocol.GRPC }] } },
    authorizationPolicies: ["shop/deny"],
  });
  expect(full).toMatchObject({
    addresses: ["10.0.0.1", "fd00::1"],
    node: "node-1",
    cluster: "west",
    network: "net",
    trustDomain: "example.org",
    health: "unhealthy",
    hostNetwork: true,
    owner: { kind: "job", name: "batch" },
    canonicalName: "app",
    canonicalRevision: "v2",
    locality: { region: "r", zone: "z", subzone: "s" },
    services: new Map([[WEB_SERVICE, [{ servicePort: 80, targetPort: 8080, protocol: "grpc" }]]]),
    policies: ["shop/deny"],
    tunnel: "hbone",
  });
});

test("the name of what made a pod is its canonical name, where it has none of its own", () => {
  expect(workload({ workloadName: "web" })).toMatchObject({ canonicalName: "web", owner: { name: "web" } });
});

test.each<[string, MessageInitShape<typeof WorkloadSchema>, RegExp]>([
  ["another uid than its name", { uid: "Kubernetes//Pod/shop/web-1" }, /is not the resource's name/],
  ["no namespace", { namespace: "" }, /not a path segment/],
  ["a namespace that is more than one", { namespace: "shop/sa/admin" }, /does not have the form/],
  ["a service account that is no name", { serviceAccount: "web admin" }, /not a path segment/],
  ["a trust domain that is none", { trustDomain: "Example.ORG" }, /not a trust domain/],
  ["an address of five bytes", { addresses: [new Uint8Array(5)] }, /4 or 16 bytes, not 5/],
  ["an address of no bytes", { addresses: [new Uint8Array(0)] }, /4 or 16 bytes, not 0/],
  ["an old tunnel protocol", { tunnelProtocol: TunnelProtocol.LEGACY_ISTIO_MTLS }, /LEGACY_ISTIO_MTLS/],
  ["a target port out of range", { services: ports(80, 65_536) }, /port 80 with target port 65536 is out of range/],
  ["a service port out of range", { services: ports(65_536, 80) }, /out of range/],
  ["a service port of zero", { services: ports(0, 80) }, /out of range/],
])("a workload with %s is refused", (_, changes, problem) => {
  expect(workload(changes)).toMatch(problem);
});

function ports(servicePort: number, targetPort: number) {
  return { [WEB_SERVICE]: { ports: [{ servicePort, targetPort }] } };
}

test("numbers that this version does not know are read as what is safe", () => {
  const unknown = workload({
    workloadType: 99 as WorkloadType,
    status: 99 as WorkloadStatus,
    tunnelProtocol: 99 as TunnelProtocol,
    services: { [WEB_SERVICE]: { ports: [{ servicePort: 80, targetPort: 1, appProtocol: 99 as AppProtocol }] } },
  });
  expect(unknown).toMatchObject({
    owner: { kind: "pod" },
    health: "unhealthy",
    tunnel: "none",
    services: new Map([[WEB_SERVICE, [{ protocol: "unknown" }]]]),
  });
});

test("a service is taken over with its ports and addresses", () => {
  const full = service({
    addresses: [{ network: "net", address: Uint8Array.of(10, 96, 0, 10) }],
    ports: [
      { servicePort: 80, targetPort: 8080, appProtocol: AppProtocol.HTTP11 },
      { servicePort: 81, targetPort: 0 },
    ],
    loadBalancing: { healthPolicy: LoadBalancing_HealthPolicy.ALLOW_ALL },
  });
  expect(full).toEqual({
    name: "web",
    namespace: "shop",
    hostname: "web.shop.svc.cluster.local",
    addresses: ["10.96.0.10"],
    network: "net",
    ports: [
      { port: 80, targetPort: 8080, protocol: "http1" },
      { port: 81, targetPort: 0, protocol: "unknown" },
    ],
    sendToUnready: true,
  });
});

test("a headless service has no address, and sends nothing to endpoints that are not ready", () => {
  expect(service({ addresses: [] })).toMatchObject({ addresses: [], network: "", sendToUnready: false });
});

test.each<[string, MessageInitShape<typeof ServiceSchema>, RegExp]>([
  ["another host name than its name says", { hostname: "api.shop.svc.cluster.local" }, /is not the resource's name/],
  ["another namespace than its name says", { namespace: "other" }, /is not the resource's name/],
  ["an address of five bytes", { addresses: [{ address: new Uint8Array(5) }] }, /4 or 16 bytes, not 5/],
  ["a target port out of range", { ports: [{ servicePort: 80, targetPort: 70_000 }] }, /out of range/],
  ["a port of zero", { ports: [{ servicePort: 0, targetPort: 80 }] }, /out of range/],
])("a service with %s is refused", (_, changes, problem) => {
  expect(service(changes)).toMatch(problem);
});

test.each([
  ["namespace", "/web.shop", { namespace: "", hostname: "web.shop" }],
  ["host name", "shop/", { namespace: "shop", hostname: "" }],
])("a service without a %s is refused, whatever its name", (_, name, changes) => {
  expect(decodeAddress(name, serviceBytes(changes))).toEqual({
    ok: false,
    error: "a service needs a namespace and a hostname",
  });
});

test("an address that is neither a workload nor a service is refused", () => {
  expect(decodeAddress("x", new Uint8Array(0))).toEqual({ ok: false, error: "neither a workload nor a service" });
});

test("a problem never repeats a text of any length", () => {
  const decoded = decodeAddress("x", workloadBytes({ uid: "u".repeat(100_000) }));
  expect(decoded.ok ? "" : decoded.error.length).toBeLessThan(1_000);
});

test("no bytes make the reader throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeAddress("x", bytes)),
    { numRuns: 500 },
  );
});

test("a resource that lost or changed some of its bytes is refused or read, and nothing else", () => {
  const good = [workloadBytes({ services: ports(80, 8080) }), serviceBytes()];
  fc.assert(
    fc.property(fc.constantFrom(...good), fc.nat(), fc.nat(255), fc.boolean(), (bytes, place, value, isCut) => {
      const changed = Uint8Array.from(bytes);
      changed[place % bytes.length] = value;
      const decoded = decodeAddress(WEB_0, isCut ? changed.subarray(0, place % bytes.length) : changed);
      expect(decoded.ok ? "" : decoded.error).toBeTypeOf("string");
    }),
    { numRuns: 500 },
  );
});

test("fields of a later version are passed over", () => {
  const later = Buffer.concat([toBinary(AddressSchema, create(AddressSchema)), workloadBytes(), Buffer.of(0xf8, 1, 5)]);
  expect(decodeAddress(WEB_0, later)).toMatchObject({ ok: true });
});
