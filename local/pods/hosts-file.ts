import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import type { InventoryService } from "#mesh/admin/inventory.ts";
import type { IpAddress } from "#mesh/ip-address.ts";

/** The pod that a hosts file is for. */
export interface HostsOwner {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly IpAddress[];
}

/**
 * What a pod reads as /etc/hosts: the cluster's DNS for a machine that has none. Every service has the names that a
 * cluster's search domains give it, the bare name only in the pod's own namespace. A headless service stands for the
 * addresses of its endpoints.
 */
export const hostsFile = (owner: HostsOwner, services: readonly InventoryService[]): string => {
  const ordered = services.toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1));
  const lines = [
    "127.0.0.1 localhost",
    "::1 localhost ip6-localhost ip6-loopback",
    ...owner.addresses.map((address) => `${address} ${owner.name}`),
    ...ordered.flatMap((service) =>
      addressesOf(service).map((address) => `${address} ${namesOf(service, owner.namespace).join(" ")}`),
    ),
  ];
  return `${lines.join("\n")}\n`;
};

/**
 * Replaces the text of a hosts file without replacing the file, which is bind-mounted into the pod's containers.
 * @returns whether the text was another
 */
export const updateInPlace = (path: string, text: string): boolean => {
  if (readFileSync(path, "utf8") === text) return false;
  const fd = openSync(path, "r+");
  try {
    const length = writeSync(fd, text, 0);
    ftruncateSync(fd, length);
  } finally {
    closeSync(fd);
  }
  return true;
};

const addressesOf = ({ headless, addresses, endpoints }: InventoryService): readonly IpAddress[] =>
  headless ? [...new Set(endpoints.filter(({ ready }) => ready).map(({ address }) => address))] : addresses;

/** The most complete name first: it is what a reverse look-up answers. */
const namesOf = ({ hostname, name, namespace }: InventoryService, ownNamespace: string): readonly string[] => {
  const names = [hostname, `${name}.${namespace}.svc`, `${name}.${namespace}`];
  return namespace === ownNamespace ? [...names, name] : names;
};
