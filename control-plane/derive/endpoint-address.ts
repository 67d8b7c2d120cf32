import { type Cidr, cidrContains, parseCidr } from "#mesh/cidr.ts";
import { type IpAddress, isLoopback, isUnspecified } from "#mesh/ip-address.ts";
import { unwrap } from "#mesh/result.ts";

const FORBIDDEN: readonly (readonly [string, Cidr])[] = [
  ["link-local", unwrap(parseCidr("169.254.0.0/16"))],
  ["link-local", unwrap(parseCidr("fe80::/10"))],
  ["multicast", unwrap(parseCidr("224.0.0.0/4"))],
  ["multicast", unwrap(parseCidr("ff00::/8"))],
];

/**
 * Why traffic may not be sent to an address that a slice names, as the API server judges it: it would stay on the caller's own
 * node, or reach its metadata service.
 */
export const endpointAddressProblem = (address: IpAddress): string | undefined => {
  const range = isLoopback(address)
    ? "loopback"
    : isUnspecified(address)
      ? "unspecified"
      : FORBIDDEN.find(([, cidr]) => cidrContains(cidr, address))?.[0];
  return range && `${address} is a ${range} address and no endpoint`;
};
