import { assert, integer, property } from "fast-check";
import { expect, test } from "vitest";
import { address } from "../testing/inventory-examples.ts";
import {
  nodeAddresses,
  podAddresses,
  podRanges,
  SERVICE_NUMBERS,
  serviceAddresses,
  serviceNumber,
  serviceRanges,
} from "./address-plan.ts";

test("pods, nodes and services have the addresses of the plan", () => {
  expect(podAddresses(1, 10)).toEqual({ ipv4: "10.244.1.10", ipv6: "fd00:10:244:1::a" });
  expect(podRanges(12)).toEqual({ ipv4: "10.244.12.0/24", ipv6: "fd00:10:244:12::/64" });
  expect(nodeAddresses(2)).toEqual({ ipv4: "10.95.0.12", ipv6: "fd00:10:95::c" });
  expect(serviceAddresses(0x0203)).toEqual({ ipv4: "10.96.2.3", ipv6: "fd00:10:96::203" });
  expect(serviceRanges(true)).toEqual(["10.96.0.0/16", "fd00:10:96::/112"]);
  expect(serviceRanges(false)).toEqual(["10.96.0.0/16"]);
});

test("a service's address leads back to its number, in both families", () => {
  assert(
    property(integer({ min: SERVICE_NUMBERS.first, max: SERVICE_NUMBERS.last }), (number) => {
      const { ipv4, ipv6 } = serviceAddresses(number);
      expect([serviceNumber(ipv4), serviceNumber(ipv6)]).toEqual([number, number]);
    }),
  );
});

test("an address outside the services' ranges has no number", () => {
  expect(serviceNumber(address("10.97.0.1"))).toBeUndefined();
  expect(serviceNumber(address("fd00:10:96:0:1::1"))).toBeUndefined();
});
