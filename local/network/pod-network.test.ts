import { expect, test } from "vitest";
import { podAddresses } from "../addresses/address-plan.ts";
import { nodeEndLines, podEndLines } from "./pod-network.ts";

const place = { node: 2, number: 11, addresses: podAddresses(2, 11) };

test("the node has one route for each address of the pod, from an address of its own", () => {
  expect(nodeEndLines("shop.web-0", place, true)).toEqual([
    "link add pod11 mtu 1500 type veth peer name eth0 mtu 1500 netns shop.web-0",
    "link set pod11 addrgenmode none up",
    "addr add 169.254.1.1/32 dev pod11 scope link",
    "route add 10.244.2.11/32 dev pod11 src 10.95.0.12",
    "addr add fe80::1/64 dev pod11 nodad",
    "route add fd00:10:244:2::b/128 dev pod11 src fd00:10:95::c",
  ]);
});

test("the pod has its addresses alone, so that everything goes by way of its node", () => {
  expect(podEndLines(place, true)).toEqual([
    "link set lo up",
    "link set eth0 addrgenmode none up",
    "addr add 10.244.2.11/32 dev eth0",
    "route add 169.254.1.1 dev eth0 scope link",
    "route add default via 169.254.1.1 dev eth0",
    "addr add fe80::2/64 dev eth0 nodad",
    "addr add fd00:10:244:2::b/128 dev eth0 nodad",
    "route add default via fe80::1 dev eth0",
  ]);
});

test("a kernel without IPv6 is asked for none", () => {
  const lines = [...nodeEndLines("shop.web-0", place, false), ...podEndLines(place, false)];
  expect(lines.filter((line) => line.includes("::"))).toEqual([]);
});
