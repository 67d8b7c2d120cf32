import { expect, test } from "vitest";
import { fabricLines, nodeLines } from "./fabric.ts";

test("every node is joined to the bridge, and its pods are reached by way of it", () => {
  expect(fabricLines([1, 2], false)).toEqual([
    "link set lo up",
    "link add fabric0 mtu 1500 type bridge mcast_snooping 0",
    "link set fabric0 addrgenmode none",
    "addr add 10.95.0.1/24 dev fabric0",
    "link set fabric0 up",
    "netns add node-1",
    "link add node-1 mtu 1500 type veth peer name eth0 mtu 1500 netns node-1",
    "link set node-1 addrgenmode none master fabric0 up",
    "netns add node-2",
    "link add node-2 mtu 1500 type veth peer name eth0 mtu 1500 netns node-2",
    "link set node-2 addrgenmode none master fabric0 up",
    "route add 10.244.1.0/24 via 10.95.0.11",
    "route add 10.244.2.0/24 via 10.95.0.12",
  ]);
});

test("a node routes to the pods of the others, and services to where they are refused", () => {
  expect(nodeLines(1, [1, 2], true).filter((line) => line.startsWith("route"))).toEqual([
    "route add 10.244.2.0/24 via 10.95.0.12",
    "route add fd00:10:244:2::/64 via fd00:10:95::c",
    "route add 10.96.0.0/16 via 10.95.0.1",
    "route add fd00:10:96::/112 via fd00:10:95::1",
  ]);
});

test("a node has a link-local address, without which it could not find the next hop for its pods", () => {
  expect(nodeLines(2, [1, 2], true)).toContain("addr add fe80::95:2/64 dev eth0 nodad");
});

test("no address waits for the detection of duplicates", () => {
  const ipv6 = [...fabricLines([1], true), ...nodeLines(1, [1], true)].filter((line) => /^addr add \S+:/.test(line));
  expect(ipv6).toHaveLength(4);
  expect(ipv6.filter((line) => !line.endsWith(" nodad"))).toEqual([]);
});

test("a kernel without IPv6 is asked for none", () => {
  expect([...fabricLines([1, 2], false), ...nodeLines(1, [1, 2], false)].filter((line) => line.includes("::"))).toEqual(
    [],
  );
});
