import { isCaptured, isFinished, type PodObject } from "#mesh/objects/pod.ts";
import type { ServiceName } from "#mesh/service.ts";
import { podWorkloadUid, type Workload, type WorkloadPort } from "#mesh/workload.ts";
import { type MeshContext, NETWORK } from "./mesh-context.ts";
import type { WorkloadAuthentication } from "./peer-authentication.ts";
import { canonicalName, canonicalRevision, podOwner } from "./pod-naming.ts";

export const NO_LOCALITY = { region: "", zone: "", subzone: "" } as const;

/** Whether a pod can send or receive traffic: it has an address and has not ended. */
export const isWorkload = (pod: PodObject): boolean => pod.status.addresses.length > 0 && !isFinished(pod);

/** A pod as the mesh sees it. */
export const podWorkload = (
  context: MeshContext,
  pod: PodObject,
  services: ReadonlyMap<ServiceName, readonly WorkloadPort[]>,
  { policies }: WorkloadAuthentication,
): Workload => {
  const { metadata, status } = pod;
  const owner = podOwner(metadata);
  return {
    uid: podWorkloadUid(context.cluster, metadata.namespace, metadata.name),
    name: metadata.name,
    namespace: metadata.namespace,
    addresses: status.addresses,
    node: pod.nodeName,
    cluster: context.cluster,
    network: NETWORK,
    trustDomain: context.trustDomain,
    serviceAccount: pod.serviceAccount,
    tunnel: isCaptured(pod) && !pod.hostNetwork ? "hbone" : "none",
    health: status.ready && metadata.deletionTimestamp === undefined ? "healthy" : "unhealthy",
    hostNetwork: pod.hostNetwork,
    owner,
    canonicalName: canonicalName(metadata, owner),
    canonicalRevision: canonicalRevision(metadata),
    locality: NO_LOCALITY,
    services,
    policies,
  };
};
