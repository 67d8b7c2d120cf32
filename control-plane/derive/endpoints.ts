import type { EndpointSliceObject, SliceEndpoint } from "#mesh/objects/endpoint-slice.ts";
import { selects } from "#mesh/objects/metadata.ts";
import type { PodObject } from "#mesh/objects/pod.ts";
import type { ServiceObject } from "#mesh/objects/service.ts";
import type { IpAddress } from "#mesh/ip-address.ts";
import type { ServiceName } from "#mesh/service.ts";
import { podWorkloadUid, type WorkloadPort } from "#mesh/workload.ts";
import { endpointAddressProblem } from "./endpoint-address.ts";
import { portsOfPod, portsOfSlice } from "./endpoint-ports.ts";
import { addressWithoutPod, type ObjectTables, serviceOfSlice, tableKey } from "./object-tables.ts";
import { isInMesh, meshServiceName } from "./service-model.ts";
import { type OutsideEndpoint, sliceWorkloadUid } from "./slice-workload.ts";

/**
 * Who is behind a service: where it has EndpointSlices, what they say, and nothing else; otherwise the pods that its selector
 * selects. An address that belongs to a pod is that pod, whoever named it: else a slice in one namespace could make the pods
 * of another reachable without their tunnel.
 */

/** The services that a pod is an endpoint of, with the ports it serves them on, in the order of names. */
export const servicesOfPod = (
  tables: ObjectTables,
  pod: PodObject,
): ReadonlyMap<ServiceName, readonly WorkloadPort[]> => {
  const services = new Map<ServiceName, readonly WorkloadPort[]>();
  for (const service of tables.services.where("namespace", pod.metadata.namespace)) {
    if (selectsPod(tables, service, pod)) services.set(nameOf(service), portsOfPod(service, pod));
  }
  for (const slice of slicesOfPod(tables, pod)) {
    const service = tables.services.get(serviceOfSlice(slice));
    if (!service || !isInMesh(service) || !slice.endpoints.some((endpoint) => isReadyPod(slice, endpoint, pod)))
      continue;
    const name = nameOf(service);
    services.set(name, withoutTwins([...(services.get(name) ?? []), ...portsOfSlice(service, slice)]));
  }
  return new Map([...services].sort(([a], [b]) => (a < b ? -1 : 1)));
};

/** The workloads that are, or may be, endpoints of a service. @param key `namespace/name` */
export const candidatesOfService = (tables: ObjectTables, cluster: string, key: string): readonly string[] => {
  const service = tables.services.get(key);
  if (!service || !isInMesh(service)) return [];
  const uidOf = ({ metadata }: PodObject): string => podWorkloadUid(cluster, metadata.namespace, metadata.name);
  const slices = tables.slices.where("service", key);
  if (slices.length === 0) {
    const pods = tables.pods.where("namespace", service.metadata.namespace);
    return pods.filter((pod) => selectsPod(tables, service, pod)).map(uidOf);
  }
  return slices.flatMap((slice) =>
    slice.endpoints.flatMap((endpoint) => {
      const { namespace, name } = slice.metadata;
      if (endpoint.pod !== undefined) return [podWorkloadUid(cluster, namespace, endpoint.pod)];
      return addressWithoutPod(endpoint).flatMap((address) => [
        ...tables.pods.where("address", address).map(uidOf),
        sliceWorkloadUid(cluster, namespace, name, address),
      ]);
    }),
  );
};

/** The endpoint that a slice names by an address which no pod has. */
export const outsideEndpoint = (
  tables: ObjectTables,
  namespace: string,
  name: string,
  address: IpAddress,
): OutsideEndpoint | undefined => {
  const slice = tables.slices.get(`${namespace}/${name}`);
  const endpoint = slice?.endpoints.find((candidate) => addressWithoutPod(candidate)[0] === address);
  const service = slice && tables.services.get(serviceOfSlice(slice));
  if (!slice || !endpoint || !service || !isInMesh(service)) return undefined;
  if (tables.pods.hasWhere("address", address) || endpointAddressProblem(address) !== undefined) return undefined;
  return { slice: name, service, address, endpoint, ports: portsOfSlice(service, slice) };
};

const nameOf = ({ metadata }: ServiceObject): ServiceName => meshServiceName(metadata.namespace, metadata.name);

const selectsPod = (tables: ObjectTables, service: ServiceObject, pod: PodObject): boolean =>
  service.selector !== undefined &&
  isInMesh(service) &&
  selects(service.selector, pod.metadata.labels) &&
  !tables.slices.hasWhere("service", tableKey(service));

const slicesOfPod = (tables: ObjectTables, pod: PodObject): readonly EndpointSliceObject[] => {
  const named = tables.slices.where("pod", tableKey(pod));
  const addressed = pod.hostNetwork ? [] : pod.status.addresses.flatMap((ip) => tables.slices.where("address", ip));
  return [...new Set([...named, ...addressed])].sort((a, b) => (tableKey(a) < tableKey(b) ? -1 : 1));
};

/** An endpoint that its slice calls not ready gets no traffic for that service, however the pod feels. */
const isReadyPod = (slice: EndpointSliceObject, endpoint: SliceEndpoint, pod: PodObject): boolean => {
  if (!endpoint.ready) return false;
  if (endpoint.pod !== undefined) {
    return endpoint.pod === pod.metadata.name && slice.metadata.namespace === pod.metadata.namespace;
  }
  return addressWithoutPod(endpoint).some((address) => pod.status.addresses.includes(address));
};

const withoutTwins = (ports: readonly WorkloadPort[]): readonly WorkloadPort[] =>
  ports.filter(
    ({ servicePort, targetPort }, index) =>
      ports.findIndex((port) => port.servicePort === servicePort && port.targetPort === targetPort) === index,
  );
