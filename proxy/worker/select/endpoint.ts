import { type IpAddress, ipFamily } from "#mesh/ip-address.ts";
import { PROXY_PORTS } from "#mesh/ports.ts";
import type { SocketAddress } from "#mesh/socket-address.ts";
import type { SpiffeId } from "#mesh/spiffe-id.ts";
import { type Workload, workloadIdentity } from "#mesh/workload.ts";

/** Where a connection goes, and how. An absence of protection has its reason. */
export type Endpoint =
  /** Through a tunnel to the pod, which must prove this identity. */
  | {
      readonly kind: "tunnel";
      readonly workload: Workload;
      readonly address: SocketAddress;
      readonly identity: SpiffeId;
    }
  /** In clear, because the other side is not in the mesh. */
  | {
      readonly kind: "plaintext";
      readonly workload: Workload;
      readonly address: SocketAddress;
      readonly reason: "peer-not-in-mesh";
    }
  /** As it came, because nobody knows the address. */
  | { readonly kind: "passthrough"; readonly address: SocketAddress; readonly reason: "unknown-address" };

/**
 * A workload as an endpoint on one of its ports.
 * @param preferred the family that the client used; the workload's other address serves where it has none of it
 * @returns undefined where it has no address, or the port is the proxy's own
 */
export const workloadEndpoint = (
  workload: Workload,
  port: number,
  preferred: IpAddress,
): Exclude<Endpoint, { kind: "passthrough" }> | undefined => {
  const family = ipFamily(preferred);
  const address = workload.addresses.includes(preferred)
    ? preferred
    : (workload.addresses.find((candidate) => ipFamily(candidate) === family) ?? workload.addresses[0]);
  if (address === undefined || PROXY_PORTS.has(port)) return undefined;
  return workload.tunnel === "hbone"
    ? { kind: "tunnel", workload, address: { address, port }, identity: workloadIdentity(workload) }
    : { kind: "plaintext", workload, address: { address, port }, reason: "peer-not-in-mesh" };
};
