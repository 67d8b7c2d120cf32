import { fromBinary } from "@bufbuild/protobuf";
import {
  AddressSchema,
  AppProtocol as ProtoAppProtocol,
  LoadBalancing_HealthPolicy,
  NetworkMode,
  type Port,
  type PortList,
  type Service as ProtoService,
  TunnelProtocol,
  type Workload as ProtoWorkload,
  WorkloadStatus,
  WorkloadType,
} from "#api/gen/istio/workload/workload_pb.js";
import { type IpAddress, ipAddressFromBytes } from "#mesh/ip-address.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { type AppProtocol, type Service, serviceName, type ServiceName, type ServicePort } from "#mesh/service.ts";
import { parseSpiffeId, parseTrustDomain } from "#mesh/spiffe-id.ts";
import type { Workload, WorkloadOwner, WorkloadPort } from "#mesh/workload.ts";

/** What a resource of type istio.workload.Address holds. */
export type Address =
  | { readonly kind: "workload"; readonly workload: Workload }
  | { readonly kind: "service"; readonly service: Service };

const MAX_PORT = 65_535;

const PROTOCOLS: Readonly<Record<ProtoAppProtocol, AppProtocol>> = {
  [ProtoAppProtocol.UNKNOWN]: "unknown",
  [ProtoAppProtocol.HTTP11]: "http1",
  [ProtoAppProtocol.HTTP2]: "http2",
  [ProtoAppProtocol.GRPC]: "grpc",
  [ProtoAppProtocol.TCP]: "tcp",
  [ProtoAppProtocol.TLS]: "tls",
};

const OWNERS: Readonly<Record<WorkloadType, WorkloadOwner["kind"]>> = {
  [WorkloadType.DEPLOYMENT]: "deployment",
  [WorkloadType.CRONJOB]: "cronjob",
  [WorkloadType.POD]: "pod",
  [WorkloadType.JOB]: "job",
};

/** Decodes a workload or a service. @returns what is wrong with the resource otherwise, to be sent back as a NACK */
export const decodeAddress = (name: string, bytes: Uint8Array): Result<Address, string> => {
  const address = decodeProto(bytes);
  if (!address.ok) return address;
  const { type } = address.value;
  if (type.case === undefined) return err("neither a workload nor a service");
  const ownName = type.case === "service" ? serviceName(type.value) : type.value.uid;
  if (ownName !== name) return err(`${JSON.stringify(ownName.slice(0, 256))} is not the resource's name`);
  return type.case === "service" ? decodeService(type.value) : decodeWorkload(type.value);
};

const decodeProto = (bytes: Uint8Array): Result<ReturnType<typeof fromBinary<typeof AddressSchema>>, string> => {
  try {
    return ok(fromBinary(AddressSchema, bytes));
  } catch (error) {
    return err(`not an istio.workload.Address: ${String(error)}`);
  }
};

/** Empty strings stand for the defaults that the protocol gives them. */
const decodeWorkload = (proto: ProtoWorkload): Result<Address, string> => {
  const addresses = decodeAddresses(proto.addresses);
  const trustDomain = parseTrustDomain(proto.trustDomain || "cluster.local");
  if (!addresses.ok) return addresses;
  if (!trustDomain.ok) return trustDomain;
  if (proto.tunnelProtocol === TunnelProtocol.LEGACY_ISTIO_MTLS) return err("tunnel protocol LEGACY_ISTIO_MTLS");
  const serviceAccount = proto.serviceAccount || "default";
  const badPort = Object.values(proto.services).flatMap(({ ports }) => ports.filter(isBadPort))[0];
  if (badPort) return err(portProblem(badPort));
  const identity = parseSpiffeId(`spiffe://${trustDomain.value}/ns/${proto.namespace}/sa/${serviceAccount}`);
  if (!identity.ok) return identity;
  const workload: Workload = {
    uid: proto.uid,
    name: proto.name,
    namespace: proto.namespace,
    addresses: addresses.value,
    node: proto.node,
    cluster: proto.clusterId || "Kubernetes",
    network: proto.network,
    trustDomain: trustDomain.value,
    serviceAccount,
    tunnel: proto.tunnelProtocol === TunnelProtocol.HBONE ? "hbone" : "none",
    health: proto.status === WorkloadStatus.HEALTHY ? "healthy" : "unhealthy",
    hostNetwork: proto.networkMode === NetworkMode.HOST_NETWORK,
    owner: { kind: OWNERS[proto.workloadType] ?? "pod", name: proto.workloadName || proto.name },
    canonicalName: proto.canonicalName || proto.workloadName || proto.name,
    canonicalRevision: proto.canonicalRevision || "latest",
    locality: {
      region: proto.locality?.region ?? "",
      zone: proto.locality?.zone ?? "",
      subzone: proto.locality?.subzone ?? "",
    },
    services: new Map(Object.entries(proto.services).map(([name, ports]) => [name as ServiceName, decodePorts(ports)])),
    policies: proto.authorizationPolicies,
  };
  return ok({ kind: "workload", workload });
};

const decodeService = (proto: ProtoService): Result<Address, string> => {
  if (proto.namespace === "" || proto.hostname === "") return err("a service needs a namespace and a hostname");
  const addresses = decodeAddresses(proto.addresses.map(({ address }) => address));
  if (!addresses.ok) return addresses;
  const badPort = proto.ports.find(isBadPort);
  if (badPort) return err(portProblem(badPort));
  const service: Service = {
    name: proto.name,
    namespace: proto.namespace,
    hostname: proto.hostname,
    addresses: addresses.value,
    network: proto.addresses[0]?.network ?? "",
    ports: proto.ports.map(decodeServicePort),
    sendToUnready: proto.loadBalancing?.healthPolicy === LoadBalancing_HealthPolicy.ALLOW_ALL,
  };
  return ok({ kind: "service", service });
};

const decodeAddresses = (addresses: readonly Uint8Array[]): Result<readonly IpAddress[], string> => {
  const decoded: IpAddress[] = [];
  for (const bytes of addresses) {
    const address = ipAddressFromBytes(bytes);
    if (!address.ok) return address;
    decoded.push(address.value);
  }
  return ok(decoded);
};

/** A target port of 0 is none: it is named, and each endpoint has its own. */
const isBadPort = ({ servicePort, targetPort }: Port): boolean =>
  servicePort < 1 || servicePort > MAX_PORT || targetPort > MAX_PORT;

const portProblem = ({ servicePort, targetPort }: Port): string =>
  `port ${servicePort} with target port ${targetPort} is out of range`;

const decodePorts = ({ ports }: PortList): readonly WorkloadPort[] =>
  ports.map(({ servicePort, targetPort, appProtocol }) => ({
    servicePort,
    targetPort,
    protocol: PROTOCOLS[appProtocol] ?? "unknown",
  }));

const decodeServicePort = ({ servicePort, targetPort, appProtocol }: Port): ServicePort => ({
  port: servicePort,
  targetPort,
  protocol: PROTOCOLS[appProtocol] ?? "unknown",
});
