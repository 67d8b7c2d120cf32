import type { SliceEndpoint } from "#mesh/objects/endpoint-slice.ts";
import type { ServiceObject } from "#mesh/objects/service.ts";
import type { IpAddress } from "#mesh/ip-address.ts";
import type { Workload, WorkloadPort } from "#mesh/workload.ts";
import { type MeshContext, NETWORK } from "./mesh-context.ts";
import type { WorkloadAuthentication } from "./peer-authentication.ts";
import { NO_LOCALITY } from "./pod-workload.ts";
import { meshServiceName } from "./service-model.ts";

/** An endpoint of a slice that is no pod. */
export interface OutsideEndpoint {
  readonly slice: string;
  readonly service: ServiceObject;
  readonly address: IpAddress;
  readonly endpoint: SliceEndpoint;
  readonly ports: readonly WorkloadPort[];
}

/** `<cluster>/discovery.k8s.io/EndpointSlice/<namespace>/<slice>/<address>`, as istiod calls them. */
export const sliceWorkloadUid = (cluster: string, namespace: string, slice: string, address: IpAddress): string =>
  `${cluster}/discovery.k8s.io/EndpointSlice/${namespace}/${slice}/${address}`;

/** An address outside the mesh's pods as the mesh sees it: without a tunnel, so that it gets plaintext. */
export const sliceWorkload = (
  context: MeshContext,
  { slice, service, address, endpoint, ports }: OutsideEndpoint,
  { policies }: WorkloadAuthentication,
): Workload => {
  const { namespace, name } = service.metadata;
  return {
    uid: sliceWorkloadUid(context.cluster, namespace, slice, address),
    name: slice,
    namespace,
    addresses: [address],
    node: endpoint.nodeName,
    cluster: context.cluster,
    network: NETWORK,
    trustDomain: context.trustDomain,
    serviceAccount: "default",
    tunnel: "none",
    health: endpoint.ready && !endpoint.terminating ? "healthy" : "unhealthy",
    hostNetwork: false,
    owner: { kind: "pod", name },
    canonicalName: name,
    canonicalRevision: "latest",
    locality: NO_LOCALITY,
    services: new Map([[meshServiceName(namespace, name), ports]]),
    policies,
  };
};
