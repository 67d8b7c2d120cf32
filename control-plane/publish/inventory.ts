import { hash } from "node:crypto";
import type {
  Inventory,
  InventoryEndpoint,
  InventoryNamespace,
  InventoryPod,
  InventoryService,
} from "#mesh/admin/inventory.ts";
import type { NamespaceObject } from "#mesh/objects/namespace.ts";
import type { PodObject } from "#mesh/objects/pod.ts";
import type { ServiceObject } from "#mesh/objects/service.ts";
import { serviceHostname } from "#mesh/service.ts";
import type { Workload } from "#mesh/workload.ts";
import type { CollectedObject } from "../collect/object-source.ts";
import type { MeshModel } from "../derive/mesh-model.ts";
import { meshServiceName } from "../derive/service-model.ts";

/** What exists, for whoever runs the pods. Pods are told as they were declared: what was assigned to them they know. */
export const inventoryOf = (objects: Iterable<CollectedObject>, model: MeshModel): Inventory => {
  const namespaces: InventoryNamespace[] = [];
  const pods: InventoryPod[] = [];
  const services: InventoryService[] = [];
  for (const { declared, current } of objects) {
    if (declared.kind === "Namespace") namespaces.push(namespaceOf(declared));
    else if (declared.kind === "Pod") pods.push(podOf(declared));
    else if (current.kind === "Service") services.push(serviceOf(current, model));
  }
  const content = {
    namespaces: namespaces.sort(byName),
    pods: pods.sort(byName),
    services: services.sort(byName),
  };
  return { version: shortHash(content), ...content };
};

const namespaceOf = ({ metadata }: NamespaceObject): InventoryNamespace => ({
  name: metadata.name,
  labels: Object.fromEntries(metadata.labels),
});

const podOf = ({ metadata, status: _assigned, ...spec }: PodObject): InventoryPod => ({
  ...spec,
  namespace: metadata.namespace,
  name: metadata.name,
  labels: Object.fromEntries(metadata.labels),
  annotations: Object.fromEntries(metadata.annotations),
  // Labels and annotations change while a pod runs; what is in its spec needs a new one.
  specHash: shortHash(spec),
});

const serviceOf = (service: ServiceObject, model: MeshModel): InventoryService => {
  const { namespace, name } = service.metadata;
  return {
    namespace,
    name,
    hostname: serviceHostname(namespace, name),
    headless: service.headless,
    ipFamilies: service.ipFamilies,
    wantsAddress: !service.headless && service.type !== "ExternalName",
    addresses: service.addresses,
    ports: service.ports.map(({ port, transport }) => ({ port, transport })),
    endpoints: model
      .endpoints(meshServiceName(namespace, name))
      .toSorted((a, b) => (a.uid < b.uid ? -1 : 1))
      .flatMap((workload) => endpointsOf(workload, service)),
  };
};

const endpointsOf = (workload: Workload, service: ServiceObject): readonly InventoryEndpoint[] => {
  const { namespace, name } = service.metadata;
  const ports = workload.services.get(meshServiceName(namespace, name)) ?? [];
  return workload.addresses.map((address) => ({
    address,
    ready: workload.health === "healthy" || service.publishNotReadyAddresses,
    ports: ports.map(({ servicePort, targetPort }) => ({ port: servicePort, targetPort })),
  }));
};

const byName = (a: Named, b: Named): number => (sortKey(a) < sortKey(b) ? -1 : 1);

interface Named {
  readonly namespace?: string;
  readonly name: string;
}

const sortKey = ({ namespace = "", name }: Named): string => `${namespace}/${name}`;

const shortHash = (value: object): string => hash("sha256", JSON.stringify(value)).slice(0, 16);
