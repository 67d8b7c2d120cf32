import { expect, test } from "vitest";
import { nodeAddresses } from "../addresses/address-plan.ts";
import { address, exampleEndpoint, exampleService } from "../testing/inventory-examples.ts";
import { serviceRules, servicesTable } from "./services-table.ts";

const table = (services: Parameters<typeof serviceRules>[0], hasIpv6 = true): readonly string[] =>
  servicesTable(serviceRules(services), nodeAddresses(1), hasIpv6)
    .split("\n")
    .map((line) => line.trim());

test("a service's address leads to one of its ready endpoints of the same family, at its own port", () => {
  const endpoints = ["10.244.1.10", "10.244.2.10", "fd00:10:244:1::a"].map((text) => exampleEndpoint(text));
  expect(table([exampleService({ endpoints })]).filter((line) => line.includes("tcp dport"))).toEqual([
    "ip daddr 10.96.0.16 tcp dport 80 dnat ip to numgen random mod 2 map { 0 : 10.244.1.10 . 8080, 1 : 10.244.2.10 . 8080 }",
    "ip6 daddr fd00:10:96::10 tcp dport 80 dnat ip6 to numgen random mod 1 map { 0 : fd00:10:244:1::a . 8080 }",
  ]);
});

test("an endpoint that is not ready, or does not serve the port, gets nothing", () => {
  const endpoints = [exampleEndpoint("10.244.1.10", false), { ...exampleEndpoint("10.244.1.11"), ports: [] }];
  expect(table([exampleService({ endpoints })]).filter((line) => line.includes("tcp dport"))).toEqual([]);
});

test("what still has a service's address when it is forwarded is refused", () => {
  const refusals = table([]).filter((line) => line.endsWith("goto refuse"));
  const both = ["ip daddr 10.96.0.0/16 goto refuse", "ip6 daddr fd00:10:96::/112 goto refuse"];
  expect(refusals).toEqual([...both, ...both]);
});

test("a pod that reaches itself by way of a service is answered by way of its node", () => {
  const lines = table([exampleService()]).filter((line) => line.includes("snat"));
  expect(lines).toEqual([
    "ct status dnat ip saddr . ip daddr { 10.244.1.10 . 10.244.1.10 } snat ip to 10.95.0.11",
    "ct status dnat ip6 saddr . ip6 daddr { fd00:10:244:1::a . fd00:10:244:1::a } snat ip6 to fd00:10:95::b",
  ]);
});

test("UDP ports are left out", () => {
  expect(serviceRules([exampleService({ ports: [{ port: 53, transport: "UDP" }] })])).toEqual([]);
});

test("a headless service has no address to translate", () => {
  expect(serviceRules([exampleService({ headless: true, addresses: [] })])).toEqual([]);
});

test("the table replaces the one before it in the same transaction", () => {
  expect(table([]).slice(0, 3)).toEqual([
    "table inet heddle-services",
    "delete table inet heddle-services",
    "table inet heddle-services {",
  ]);
});

test("a kernel without IPv6 gets none of it", () => {
  const services = [exampleService({ addresses: [address("10.96.0.16"), address("fd00:10:96::10")] })];
  expect(table(services, false).filter((line) => line.includes("ip6"))).toEqual([]);
});
