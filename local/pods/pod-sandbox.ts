import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { InventoryPod, InventoryService } from "#mesh/admin/inventory.ts";
import type { IpAddress } from "#mesh/ip-address.ts";
import { ok, type Result } from "#mesh/result.ts";
import type { PodPlace } from "../addresses/address-book.ts";
import { nodeAddresses, nodeName, usable } from "../addresses/address-plan.ts";
import { addPodNetwork, removePodNetwork } from "../network/pod-network.ts";
import { hostsFile, updateInPlace } from "./hosts-file.ts";

/** What the containers of a pod share: a network namespace with addresses, and a hosts file. */
export interface PodSandbox {
  readonly uid: string;
  readonly pod: InventoryPod;
  readonly node: number;
  readonly networkNamespace: string;
  readonly addresses: readonly IpAddress[];
  /** Undefined for a pod on its node's own network. */
  readonly place: PodPlace | undefined;
  readonly hostsFile: string;
}

/** A file's name has at most 255 bytes; the longest names of Kubernetes objects together have more. */
const MAX_NAMESPACE_NAME_LENGTH = 200;

/** The name of a pod's network namespace. A namespace's name has no dot, so that no two pods share one. */
export const podNetworkName = ({ namespace, name }: Pick<InventoryPod, "namespace" | "name">): string =>
  `${namespace}.${name}`;

/** @returns what is wrong with a pod's name, if anything */
export const podNameProblem = (pod: InventoryPod): string | undefined =>
  podNetworkName(pod).length > MAX_NAMESPACE_NAME_LENGTH
    ? `metadata.name: together with its namespace it is longer than ${MAX_NAMESPACE_NAME_LENGTH} characters`
    : undefined;

/** The sandbox of a pod with its own network, not built yet. */
export const plannedSandbox = (pod: InventoryPod, place: PodPlace, uid: string, hasIpv6: boolean): PodSandbox => ({
  uid,
  pod,
  node: place.node,
  networkNamespace: podNetworkName(pod),
  addresses: usable(place.addresses, hasIpv6),
  place,
  hostsFile: hostsPath(pod),
});

/** The sandbox of a pod that lives on its node's network (spec.hostNetwork). */
export const hostNetworkSandbox = (pod: InventoryPod, node: number, uid: string, hasIpv6: boolean): PodSandbox => ({
  uid,
  pod,
  node,
  networkNamespace: nodeName(node),
  addresses: usable(nodeAddresses(node), hasIpv6),
  place: undefined,
  hostsFile: hostsPath(pod),
});

/** Builds what was planned, from nothing: what a failed attempt may have left goes first. */
export const buildSandbox = async (
  sandbox: PodSandbox,
  services: readonly InventoryService[],
  hasIpv6: boolean,
): Promise<Result<void, string>> => {
  mkdirSync(dirname(sandbox.hostsFile), { recursive: true });
  writeFileSync(sandbox.hostsFile, hostsText(sandbox, services), { mode: 0o644 });
  if (sandbox.place === undefined) return ok(undefined);
  await removePodNetwork(sandbox.networkNamespace, sandbox.place);
  return addPodNetwork(sandbox.networkNamespace, sandbox.place, hasIpv6);
};

export const removeSandbox = async (sandbox: PodSandbox): Promise<Result<void, string>> => {
  rmSync(sandbox.hostsFile, { force: true });
  return sandbox.place === undefined ? ok(undefined) : removePodNetwork(sandbox.networkNamespace, sandbox.place);
};

/** Brings the hosts file up to date, if it is there: a pod that ends has none any more. */
export const updateHosts = (sandbox: PodSandbox, services: readonly InventoryService[]): void => {
  if (existsSync(sandbox.hostsFile)) updateInPlace(sandbox.hostsFile, hostsText(sandbox, services));
};

const hostsText = ({ pod, addresses }: PodSandbox, services: readonly InventoryService[]): string =>
  hostsFile({ namespace: pod.namespace, name: pod.name, addresses }, services);

const hostsPath = (pod: InventoryPod): string => `/run/heddle/hosts/${podNetworkName(pod)}`;
