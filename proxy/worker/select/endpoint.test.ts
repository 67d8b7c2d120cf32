import { expect, test } from "vitest";
import { exampleWorkload, ip } from "#mesh/testing/examples.ts";
import { workloadEndpoint } from "./endpoint.ts";

const V4 = ip("10.244.1.10");
const V6 = ip("fd00:10:244:1::a");

test("a pod of the mesh is reached through a tunnel, and must prove who it is", () => {
  const workload = exampleWorkload();
  expect(workloadEndpoint(workload, 80, V4)).toEqual({
    kind: "tunnel",
    workload,
    address: { address: V4, port: 80 },
    identity: "spiffe://cluster.local/ns/shop/sa/web",
  });
});

test("a workload outside the mesh is reached in clear, and the reason is said", () => {
  const workload = exampleWorkload({ tunnel: "none" });
  expect(workloadEndpoint(workload, 80, V4)).toEqual({
    kind: "plaintext",
    workload,
    address: { address: V4, port: 80 },
    reason: "peer-not-in-mesh",
  });
});

test.each([
  ["the called one, where the workload has it", [V4, V6], V6, V6],
  ["one of the family that was called", [V4, V6], ip("fd00:10:96::10"), V6],
  ["one of the family that was called, whatever the order", [V6, V4], ip("10.96.0.10"), V4],
  ["the called one of several of a family", [ip("10.244.1.9"), V4], V4, V4],
  ["the other family's, where it has no other", [V6], ip("10.96.0.10"), V6],
])("the address is %s", (_, addresses, called, expected) => {
  expect(workloadEndpoint(exampleWorkload({ addresses }), 80, called)?.address).toEqual({
    address: expected,
    port: 80,
  });
});

test("a workload without an address is no endpoint", () => {
  expect(workloadEndpoint(exampleWorkload({ addresses: [] }), 80, V4)).toBeUndefined();
});

test.each([15_001, 15_006, 15_008])("the proxy's own port %i is no endpoint", (port) => {
  expect(workloadEndpoint(exampleWorkload(), port, V4)).toBeUndefined();
});
