import { expect, test } from "vitest";
import type { Service } from "#mesh/service.ts";
import { serviceName } from "#mesh/service.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import { exampleService, exampleWorkload, ip, snapshotWith } from "#mesh/testing/examples.ts";
import type { Workload } from "#mesh/workload.ts";
import { destinationOf } from "./destination.ts";

const WEB = exampleWorkload();
const SERVICE = exampleService();

const meshOf = (services: readonly Service[], workloads: readonly Workload[]): Snapshot =>
  snapshotWith({
    workloads: new Map(workloads.map((workload) => [workload.uid, workload])),
    services: new Map(services.map((service) => [serviceName(service), service])),
  });

const MESH = meshOf([SERVICE], [WEB]);
const at = (address: string, port: number) => ({ address: ip(address), port });

test.each(["10.96.0.10", "fd00:10:96::10"])("a service is found by its virtual address %s", (address) => {
  const called = at(address, 80);
  expect(destinationOf(MESH, called)).toEqual({ kind: "service", service: SERVICE, port: SERVICE.ports[0], called });
});

test.each(["10.244.1.10", "fd00:10:244:1::a"])("a pod is found by its own address %s, whatever the port", (address) => {
  const called = at(address, 9_999);
  expect(destinationOf(MESH, called)).toEqual({ kind: "workload", workload: WEB, called });
});

test("an address that nobody has is unknown, also on ports that would be the proxy's", () => {
  for (const port of [80, 15_008]) {
    const called = at("1.1.1.1", port);
    expect(destinationOf(MESH, called)).toEqual({ kind: "unknown", called });
  }
});

test("a service has the ports that it has, and says so", () => {
  expect(destinationOf(MESH, at("10.96.0.10", 81))).toEqual({
    kind: "refused",
    reason: "no-such-service-port",
    message: "web.shop.svc.cluster.local has no port 81, only 80",
  });
  const empty = meshOf([exampleService({ ports: [] })], []);
  expect(destinationOf(empty, at("10.96.0.10", 80))).toMatchObject({ kind: "refused", message: /only none$/ });
});

test.each([15_001, 15_006, 15_008])("nobody has the proxy call its own port %i of a pod", (port) => {
  expect(destinationOf(MESH, at("10.244.1.10", port))).toMatchObject({ kind: "refused", reason: "self-call" });
});

test("a service may have a port that is the proxy's elsewhere: its endpoints do not listen there", () => {
  const ports = [{ port: 15_008, targetPort: 8080, protocol: "unknown" }] as const;
  const mesh = meshOf([exampleService({ ports })], [WEB]);
  expect(destinationOf(mesh, at("10.96.0.10", 15_008))).toMatchObject({ kind: "service" });
});

test("an address that is a service's and a pod's is the service's", () => {
  const mesh = meshOf([exampleService({ addresses: [ip("10.244.1.10")] })], [WEB]);
  expect(destinationOf(mesh, at("10.244.1.10", 80))).toMatchObject({ kind: "service" });
});
