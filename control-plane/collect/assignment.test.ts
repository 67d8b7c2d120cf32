import { expect, test } from "vitest";
import type { PodObject } from "#mesh/objects/pod.ts";
import type { ServiceObject } from "#mesh/objects/service.ts";
import { type Fields, meshObject, podYaml, serviceYaml } from "../testing/objects.ts";
import { readAssignment, withAssignment, withoutAssignment } from "./assignment.ts";

const declaredPod = meshObject(podYaml("shop/web", { ip: "192.0.2.1", annotations: { own: "1" } }));

const assign = (declared: typeof declaredPod, value: Fields) => {
  const read = readAssignment(value);
  if (read.kind !== "object") throw new Error(JSON.stringify(read));
  return withAssignment(withoutAssignment(declared), read.item);
};

test("a pod is not captured, and nowhere, until somebody assigns it", () => {
  const pod = withoutAssignment(declaredPod) as PodObject;
  expect(pod.status).toEqual({ phase: "Pending", addresses: [], ready: false });
  expect([...pod.metadata.annotations]).toEqual([["own", "1"]]);
});

test("an assignment lays uid, annotations, node, status and deletion onto the declared pod", () => {
  const pod = assign(declaredPod, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: "shop",
      name: "web",
      uid: "u1",
      annotations: { "ambient.istio.io/redirection": "enabled" },
      deletionTimestamp: "2026-01-01T00:00:00Z",
    },
    spec: { nodeName: "node-2" },
    status: { phase: "Running", podIP: "10.0.0.1", conditions: [{ type: "Ready", status: "True" }] },
  }) as PodObject;
  expect(pod).toMatchObject({
    nodeName: "node-2",
    serviceAccount: "default",
    metadata: { uid: "u1", deletionTimestamp: "2026-01-01T00:00:00Z" },
    status: { phase: "Running", addresses: ["10.0.0.1"], ready: true },
  });
  expect(Object.fromEntries(pod.metadata.annotations)).toEqual({
    own: "1",
    "ambient.istio.io/redirection": "enabled",
  });
});

test("what an assignment leaves out stays as it was declared", () => {
  const metadata = { namespace: "shop", name: "web" };
  expect(assign(declaredPod, { apiVersion: "v1", kind: "Pod", metadata })).toEqual(withoutAssignment(declaredPod));
});

test("a service gets its virtual addresses, a headless one never", () => {
  const assigned = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: "shop", name: "web" },
    spec: { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1", "fd00::1"] },
  };
  const ports = [{ port: 80 }];
  const plain = assign(meshObject(serviceYaml("shop/web", { ports })), assigned) as ServiceObject;
  expect(plain).toMatchObject({ addresses: ["10.96.0.1", "fd00::1"], ports: [{ port: 80 }] });
  const headless = assign(meshObject(serviceYaml("shop/web", { ports, clusterIP: "None" })), assigned) as ServiceObject;
  expect(headless.addresses).toEqual([]);
});

test.each([
  ["another kind", { apiVersion: "v1", kind: "Namespace", metadata: { name: "a" } }, "kind"],
  ["no object", 7, "kind"],
  [
    "a bad address",
    { apiVersion: "v1", kind: "Pod", metadata: { name: "a" }, status: { podIP: "1.2.3" } },
    "status.podIP",
  ],
])("an assignment of %s is refused", (_, value, path) => {
  expect(readAssignment(value)).toMatchObject({ kind: "refused", problems: [{ path }] });
});
