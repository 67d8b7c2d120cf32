import { create, toBinary } from "@bufbuild/protobuf";
import {
  AddressSchema,
  AppProtocol,
  NetworkMode,
  PortListSchema,
  TunnelProtocol,
  WorkloadSchema,
  WorkloadStatus,
  WorkloadType,
} from "#api/gen/istio/workload/workload_pb.js";
import { ipAddressToBytes } from "#mesh/ip-address.ts";
import type { AppProtocol as MeshProtocol } from "#mesh/service.ts";
import type { Workload } from "#mesh/workload.ts";
import { addressAlias } from "./address-alias.ts";
import { type Resource, resourceOf } from "./resource.ts";

/** What a port declares, on the wire. */
export const APP_PROTOCOLS: Readonly<Record<MeshProtocol, AppProtocol>> = {
  unknown: AppProtocol.UNKNOWN,
  http1: AppProtocol.HTTP11,
  http2: AppProtocol.HTTP2,
  grpc: AppProtocol.GRPC,
  tcp: AppProtocol.TCP,
  tls: AppProtocol.TLS,
};

const WORKLOAD_TYPES: Readonly<Record<Workload["owner"]["kind"], WorkloadType>> = {
  deployment: WorkloadType.DEPLOYMENT,
  cronjob: WorkloadType.CRONJOB,
  job: WorkloadType.JOB,
  pod: WorkloadType.POD,
};

/** A workload as `istio.workload.Address`. What has a default on the wire is left out where it says the same. */
export const encodeWorkload = (workload: Workload): Resource => {
  const message = create(WorkloadSchema, {
    uid: workload.uid,
    name: workload.name,
    namespace: workload.namespace,
    addresses: workload.addresses.map(ipAddressToBytes),
    network: workload.network,
    tunnelProtocol: workload.tunnel === "hbone" ? TunnelProtocol.HBONE : TunnelProtocol.NONE,
    trustDomain: unless("cluster.local", workload.trustDomain),
    serviceAccount: unless("default", workload.serviceAccount),
    node: workload.node,
    canonicalName: workload.canonicalName,
    canonicalRevision: workload.canonicalRevision,
    workloadType: WORKLOAD_TYPES[workload.owner.kind],
    workloadName: workload.owner.name,
    authorizationPolicies: [...workload.policies],
    status: workload.health === "healthy" ? WorkloadStatus.HEALTHY : WorkloadStatus.UNHEALTHY,
    clusterId: unless("Kubernetes", workload.cluster),
    services: encodePorts(workload),
    networkMode: workload.hostNetwork ? NetworkMode.HOST_NETWORK : NetworkMode.STANDARD,
    ...encodeLocality(workload),
  });
  const body = toBinary(AddressSchema, create(AddressSchema, { type: { case: "workload", value: message } }));
  // A host-network workload shares its address with others and must not be found by it.
  const addresses = workload.hostNetwork ? [] : workload.addresses;
  return resourceOf(
    workload.uid,
    addresses.map((address) => addressAlias(workload.network, address)),
    body,
  );
};

const unless = (wireDefault: string, value: string): string => (value === wireDefault ? "" : value);

const encodePorts = ({ services }: Workload): Record<string, ReturnType<typeof encodePortList>> =>
  Object.fromEntries([...services].map(([name, ports]) => [name, encodePortList(ports)]));

const encodePortList = (ports: Workload["services"] extends ReadonlyMap<string, infer Ports> ? Ports : never) =>
  create(PortListSchema, {
    ports: ports.map(({ servicePort, targetPort, protocol }) => ({
      servicePort,
      targetPort,
      appProtocol: APP_PROTOCOLS[protocol],
    })),
  });

const encodeLocality = ({ locality }: Workload): { readonly locality?: Workload["locality"] } =>
  locality.region + locality.zone + locality.subzone === "" ? {} : { locality };
