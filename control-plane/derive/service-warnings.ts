import type { EndpointSliceObject } from "#mesh/objects/endpoint-slice.ts";
import { selects } from "#mesh/objects/metadata.ts";
import type { PodObject } from "#mesh/objects/pod.ts";
import type { ServiceObject } from "#mesh/objects/service.ts";
import { endpointAddressProblem } from "./endpoint-address.ts";
import { containerPort } from "./endpoint-ports.ts";
import { addressWithoutPod, type ObjectTables, serviceOfSlice, tableKey } from "./object-tables.ts";
import { isInMesh } from "./service-model.ts";

/** What a person should know about a service that is taken as it is. */
export const serviceWarnings = (tables: ObjectTables, service: ServiceObject): readonly string[] => {
  if (!isInMesh(service))
    return ["ExternalName is a DNS alias: traffic to it goes where its name leads, outside the mesh"];
  const others = service.ports.filter(({ transport }) => transport !== "TCP");
  return [
    ...others.map(({ port, transport }) => `port ${port}/${transport} passes by the mesh: only TCP is carried`),
    ...addressWarnings(tables, service),
    ...endpointWarnings(tables, service),
  ];
};

/** What a person should know about a slice. */
export const sliceWarnings = (tables: ObjectTables, slice: EndpointSliceObject): readonly string[] => {
  if (slice.service === "") return ["names no service: label kubernetes.io/service-name is missing"];
  const service = tables.services.get(serviceOfSlice(slice));
  if (!service) return [`Service ${serviceOfSlice(slice)} is not declared`];
  const { namespace } = slice.metadata;
  const missingPods = slice.endpoints
    .filter(({ pod }) => pod !== undefined && !tables.pods.get(`${namespace}/${pod}`))
    .map(({ pod }) => `Pod ${namespace}/${pod} is not declared`);
  const addresses = slice.endpoints
    .flatMap(addressWithoutPod)
    .map(endpointAddressProblem)
    .filter((problem) => problem !== undefined);
  const ports = service.ports
    .filter(({ name }) => !slice.ports.some((port) => port.name === name))
    .map(({ name }) => `has no port named ${JSON.stringify(name)}, as Service ${serviceOfSlice(slice)} has`);
  return [...missingPods, ...addresses, ...ports];
};

const addressWarnings = (tables: ObjectTables, service: ServiceObject): readonly string[] =>
  service.addresses.flatMap((address) =>
    tables.services
      .keysWhere("address", address)
      .filter((key) => key !== tableKey(service))
      .map((key) => `address ${address} is also claimed by Service ${key}`),
  );

const endpointWarnings = (tables: ObjectTables, service: ServiceObject): readonly string[] => {
  if (tables.slices.hasWhere("service", tableKey(service))) return [];
  const { selector } = service;
  if (!selector) return ["has neither a selector nor an EndpointSlice: nobody is behind it"];
  const pods = tables.pods
    .where("namespace", service.metadata.namespace)
    .filter(({ metadata }) => selects(selector, metadata.labels));
  return pods.length === 0 ? ["its selector selects no pod"] : namedPortWarnings(service, pods);
};

const namedPortWarnings = (service: ServiceObject, pods: readonly PodObject[]): readonly string[] =>
  service.ports.flatMap(({ targetPort, transport }) => {
    if (typeof targetPort === "number" || transport !== "TCP") return [];
    const without = pods.filter((pod) => containerPort(pod, targetPort) === undefined);
    const [first] = without;
    if (!first) return [];
    const others = without.length > 1 ? ` and ${without.length - 1} more` : "";
    return [`no container of Pod ${tableKey(first)}${others} has a port named ${targetPort}`];
  });
