import { existsSync } from "node:fs";
import { ok, type Result } from "#mesh/result.ts";
import {
  CONTROL_PLANE_ADDRESS,
  FABRIC_PREFIX_LENGTHS,
  MTU,
  nodeAddresses,
  nodeName,
  podRanges,
  serviceRanges,
} from "../addresses/address-plan.ts";
import { ipBatch } from "./ip-batch.ts";
import { applyKernelSettings, FORWARDING_SETTINGS } from "./kernel-settings.ts";

/**
 * The network that joins the nodes: a bridge in the runtime's own namespace, and a veth pair from it to every node, called
 * `node-N` at the bridge and `eth0` in the node. The runtime's namespace is the world outside the cluster: it reaches the
 * pods, and they reach it.
 */
export const buildFabric = async (nodes: number, hasIpv6: boolean): Promise<Result<void, string>> => {
  const numbers = Array.from({ length: nodes }, (_, index) => index + 1);
  const joined = await ipBatch(undefined, fabricLines(numbers, hasIpv6));
  if (!joined.ok) return joined;
  for (const node of numbers) {
    const set = await applyKernelSettings(nodeName(node), FORWARDING_SETTINGS);
    if (!set.ok) return set;
    const up = await ipBatch(nodeName(node), nodeLines(node, numbers, hasIpv6));
    if (!up.ok) return up;
  }
  return ok(undefined);
};

/** Whether this kernel has IPv6 at all. */
export const kernelHasIpv6 = (): boolean => existsSync("/proc/net/if_inet6");

/** What ip does in the runtime's namespace. */
export const fabricLines = (nodes: readonly number[], hasIpv6: boolean): readonly string[] => [
  "link set lo up",
  `link add fabric0 mtu ${MTU} type bridge mcast_snooping 0`,
  "link set fabric0 addrgenmode none",
  `addr add ${CONTROL_PLANE_ADDRESS.ipv4}/${FABRIC_PREFIX_LENGTHS.ipv4} dev fabric0`,
  ...when(hasIpv6, `addr add ${CONTROL_PLANE_ADDRESS.ipv6}/${FABRIC_PREFIX_LENGTHS.ipv6} dev fabric0 nodad`),
  ...when(hasIpv6, `addr add ${fabricLinkLocal(0)} dev fabric0 nodad`),
  "link set fabric0 up",
  ...nodes.flatMap((node) => [
    `netns add ${nodeName(node)}`,
    `link add ${nodeName(node)} mtu ${MTU} type veth peer name eth0 mtu ${MTU} netns ${nodeName(node)}`,
    `link set ${nodeName(node)} addrgenmode none master fabric0 up`,
  ]),
  ...nodes.flatMap((node) => podRoutes(node, hasIpv6)),
];

/** What ip does in a node's namespace. */
export const nodeLines = (node: number, nodes: readonly number[], hasIpv6: boolean): readonly string[] => {
  const own = nodeAddresses(node);
  const outside = [CONTROL_PLANE_ADDRESS.ipv4, CONTROL_PLANE_ADDRESS.ipv6];
  return [
    "link set lo up",
    "link set eth0 addrgenmode none",
    `addr add ${own.ipv4}/${FABRIC_PREFIX_LENGTHS.ipv4} dev eth0`,
    ...when(hasIpv6, `addr add ${own.ipv6}/${FABRIC_PREFIX_LENGTHS.ipv6} dev eth0 nodad`),
    ...when(hasIpv6, `addr add ${fabricLinkLocal(node)} dev eth0 nodad`),
    "link set eth0 up",
    ...nodes.filter((other) => other !== node).flatMap((other) => podRoutes(other, hasIpv6)),
    // Only so that a call to a service without endpoints is routed, and thus refused where forwarding is filtered.
    ...serviceRanges(hasIpv6).map((range, family) => `route add ${range} via ${outside[family]}`),
  ];
};

/** What a router asks for its neighbours with, on behalf of others (RFC 4861 section 7.2.2); 0 is the runtime itself. */
const fabricLinkLocal = (node: number): string => `fe80::95:${node}/64`;

const podRoutes = (node: number, hasIpv6: boolean): readonly string[] => {
  const gateway = nodeAddresses(node);
  const range = podRanges(node);
  return [
    `route add ${range.ipv4} via ${gateway.ipv4}`,
    ...when(hasIpv6, `route add ${range.ipv6} via ${gateway.ipv6}`),
  ];
};

const when = (condition: boolean, line: string): readonly string[] => (condition ? [line] : []);
