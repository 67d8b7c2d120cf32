import type { IpAddress } from "./ip-address.ts";
import type { AppProtocol, ServiceName } from "./service.ts";
import { type SpiffeId, spiffeIdOf, type TrustDomain } from "./spiffe-id.ts";

/** A pod (or an address outside the cluster's pods) as the mesh sees it. */
export interface Workload {
  /** Primary key: `<cluster>/<group>/<kind>/<namespace>/<name>`; a pod's group is empty. */
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly IpAddress[];
  readonly node: string;
  readonly cluster: string;
  readonly network: string;
  readonly trustDomain: TrustDomain;
  readonly serviceAccount: string;
  /** How to reach it: through a tunnel to its port 15008, or as it is. */
  readonly tunnel: "hbone" | "none";
  readonly health: "healthy" | "unhealthy";
  /** A workload on the host's network shares its address with others and is not found by it. */
  readonly hostNetwork: boolean;
  readonly owner: WorkloadOwner;
  /** Telemetry's name for the application, and its version. */
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly locality: Locality;
  /** The services this workload is an endpoint of, with its own ports. */
  readonly services: ReadonlyMap<ServiceName, readonly WorkloadPort[]>;
  /** Names (`namespace/name`) of the policies that select this workload. */
  readonly policies: readonly string[];
}

/** What made the pod. Telemetry only. */
export interface WorkloadOwner {
  readonly kind: "deployment" | "cronjob" | "job" | "pod";
  readonly name: string;
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

/** A port of a service as one of its endpoints serves it. */
export interface WorkloadPort {
  readonly servicePort: number;
  readonly targetPort: number;
  readonly protocol: AppProtocol;
}

/** The SPIFFE ID a workload's certificate carries. Records never change, and each connection asks for it. */
export const workloadIdentity = (workload: Workload): SpiffeId =>
  identities.getOrInsertComputed(workload, () => spiffeIdOf(workload));

const identities = new WeakMap<Workload, SpiffeId>();

/** The primary key of a pod's workload. */
export const podWorkloadUid = (cluster: string, namespace: string, name: string): string =>
  `${cluster}//Pod/${namespace}/${name}`;
