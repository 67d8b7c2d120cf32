import { err, ok, type Result } from "#mesh/result.ts";
import type { PodPlace } from "../addresses/address-book.ts";
import { MTU, nodeAddresses, nodeName, POD_GATEWAY, POD_LINK_LOCAL } from "../addresses/address-plan.ts";
import { runCommand } from "../processes/run-command.ts";
import { ipBatch } from "./ip-batch.ts";
import { applyKernelSettings, POD_SETTINGS } from "./kernel-settings.ts";

/**
 * A pod's own network namespace, joined to its node by a veth pair. The pod has its addresses alone, without a network
 * around them, so that everything it sends passes the routing of its node, even to a neighbour on the same node.
 */
export const addPodNetwork = async (
  namespace: string,
  place: PodPlace,
  hasIpv6: boolean,
): Promise<Result<void, string>> => {
  const made = await ipBatch(undefined, [`netns add ${namespace}`]);
  if (!made.ok) return made;
  const set = await applyKernelSettings(namespace, POD_SETTINGS);
  if (!set.ok) return set;
  const joined = await ipBatch(nodeName(place.node), nodeEndLines(namespace, place, hasIpv6));
  return joined.ok ? ipBatch(namespace, podEndLines(place, hasIpv6)) : joined;
};

/** Takes the namespace and the link away, as far as they are there. */
export const removePodNetwork = async (namespace: string, place: PodPlace): Promise<Result<void, string>> => {
  // The link goes first: it would outlive the namespace's name for as long as somebody holds the namespace.
  await ipBatch(nodeName(place.node), [`link del ${linkName(place)}`]);
  const removed = await runCommand(["ip", "netns", "del", namespace]);
  return removed.ok || removed.error.includes("No such file") ? ok(undefined) : err(removed.error);
};

/** What ip does in the node's namespace. */
export const nodeEndLines = (namespace: string, place: PodPlace, hasIpv6: boolean): readonly string[] => {
  const link = linkName(place);
  const node = nodeAddresses(place.node);
  return [
    `link add ${link} mtu ${MTU} type veth peer name eth0 mtu ${MTU} netns ${namespace}`,
    `link set ${link} addrgenmode none up`,
    `addr add ${POD_GATEWAY.ipv4}/32 dev ${link} scope link`,
    `route add ${place.addresses.ipv4}/32 dev ${link} src ${node.ipv4}`,
    ...when(hasIpv6, [
      `addr add ${POD_GATEWAY.ipv6}/64 dev ${link} nodad`,
      `route add ${place.addresses.ipv6}/128 dev ${link} src ${node.ipv6}`,
    ]),
  ];
};

/** What ip does in the pod's namespace. */
export const podEndLines = (place: PodPlace, hasIpv6: boolean): readonly string[] => [
  "link set lo up",
  "link set eth0 addrgenmode none up",
  `addr add ${place.addresses.ipv4}/32 dev eth0`,
  `route add ${POD_GATEWAY.ipv4} dev eth0 scope link`,
  `route add default via ${POD_GATEWAY.ipv4} dev eth0`,
  ...when(hasIpv6, [
    `addr add ${POD_LINK_LOCAL}/64 dev eth0 nodad`,
    `addr add ${place.addresses.ipv6}/128 dev eth0 nodad`,
    `route add default via ${POD_GATEWAY.ipv6} dev eth0`,
  ]),
];

/** The node's end of the link; a device's name has at most 15 characters, too few for a pod's. */
const linkName = (place: PodPlace): string => `pod${place.number}`;

const when = (condition: boolean, lines: readonly string[]): readonly string[] => (condition ? lines : []);
