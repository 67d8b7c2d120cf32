import { type Cidr, cidrContains, formatCidr, parseCidr } from "#mesh/cidr.ts";
import { type IpAddress, ipAddressToBytes, parseIpAddress } from "#mesh/ip-address.ts";
import { unwrap } from "#mesh/result.ts";

/**
 * Every address of a local mesh:
 *
 *     fabric, which joins the nodes   10.95.0.0/24     fd00:10:95::/64      control plane .1, node N at .(10+N)
 *     services                        10.96.0.0/16     fd00:10:96::/112
 *     pods of node N                  10.244.N.0/24    fd00:10:244:N::/64
 *
 * Things are numbered, and a number gives one address of each family.
 */
export interface AddressPair {
  readonly ipv4: IpAddress;
  readonly ipv6: IpAddress;
}

/** Numbers that may be given away, both ends included. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** Bounded by the fabric's last octet, and by how many processes a machine bears. */
export const MAX_NODES = 50;

/** The first ten are left to whoever wants a fixed address on a node. */
export const POD_NUMBERS: NumberRange = { first: 10, last: 254 };

/** The first ones are left to services that declare their address, as clusters do with .1 and .10. */
export const SERVICE_NUMBERS: NumberRange = { first: 16, last: 65_534 };

/** Where the runtime itself and the control plane are. */
export const CONTROL_PLANE_ADDRESS: AddressPair = pair("10.95.0.1", "fd00:10:95::1");
export const CONTROL_PLANE_PORT = 15012;

/** What every pod uses as its next hop; only ever seen between a pod and its node. */
export const POD_GATEWAY: AddressPair = pair("169.254.1.1", "fe80::1");
/** The pod's own end of that link. */
export const POD_LINK_LOCAL = "fe80::2";

export const FABRIC_PREFIX_LENGTHS = { ipv4: 24, ipv6: 64 } as const;

const SERVICE_RANGES: readonly Cidr[] = [unwrap(parseCidr("10.96.0.0/16")), unwrap(parseCidr("fd00:10:96::/112"))];

/** Ethernet's own. */
export const MTU = 1500;

/** A node's address on the fabric. Nodes are counted from 1. */
export const nodeAddresses = (node: number): AddressPair =>
  pair(`10.95.0.${10 + node}`, `fd00:10:95::${hex(10 + node)}`);

/** The ranges that a node's pods live in, as routes name them. */
export const podRanges = (node: number): { readonly ipv4: string; readonly ipv6: string } => ({
  ipv4: `10.244.${node}.0/24`,
  ipv6: `fd00:10:244:${node}::/64`,
});

export const podAddresses = (node: number, number: number): AddressPair =>
  pair(`10.244.${node}.${number}`, `fd00:10:244:${node}::${hex(number)}`);

export const serviceAddresses = (number: number): AddressPair =>
  pair(`10.96.${number >> 8}.${number & 0xff}`, `fd00:10:96::${hex(number)}`);

/** The number that gives this address; undefined for one outside the services' ranges. */
export const serviceNumber = (address: IpAddress): number | undefined => {
  if (!SERVICE_RANGES.some((range) => cidrContains(range, address))) return undefined;
  const [high = 0, low = 0] = ipAddressToBytes(address).slice(-2);
  return high * 256 + low;
};

/** The services' ranges of the families that this machine can use, as routes name them. */
export const serviceRanges = (hasIpv6: boolean): readonly string[] =>
  SERVICE_RANGES.slice(0, hasIpv6 ? 2 : 1).map(formatCidr);

/** The addresses of a pair that this machine can use. */
export const usable = ({ ipv4, ipv6 }: AddressPair, hasIpv6: boolean): readonly IpAddress[] =>
  hasIpv6 ? [ipv4, ipv6] : [ipv4];

export const nodeName = (node: number): string => `node-${node}`;

function pair(ipv4: string, ipv6: string): AddressPair {
  return { ipv4: unwrap(parseIpAddress(ipv4)), ipv6: unwrap(parseIpAddress(ipv6)) };
}

function hex(number: number): string {
  return number.toString(16);
}
