import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Inventory, InventoryEndpoint, InventoryPod, InventoryService } from "#mesh/admin/inventory.ts";
import { isMeshKind, type MeshObject, readMeshObject } from "#mesh/objects/mesh-object.ts";
import { selects } from "#mesh/objects/metadata.ts";
import { isFinished, type PodObject, type PodStatus } from "#mesh/objects/pod.ts";
import type { ServiceObject } from "#mesh/objects/service.ts";
import { serviceHostname } from "#mesh/service.ts";

/** The inventory of two folders of objects: those declared, and what the runtime assigned to them. */
export const inventoryOf = (declaredFolder: string, assignedFolder: string): Inventory => {
  const assigned = new Map(readObjects(assignedFolder).map((object) => [keyOf(object), object]));
  const declared = readObjects(declaredFolder).filter(({ kind }) => isMeshKind(kind));
  const merged = declared.map((object) => parse(merge(object, assigned.get(keyOf(object)))));
  const bare = declared.map((object) => parse(object));
  const pods = merged.filter((object) => object?.kind === "Pod");
  const content = {
    namespaces: bare
      .filter((object) => object?.kind === "Namespace")
      .map(({ metadata }) => ({ name: metadata.name, labels: Object.fromEntries(metadata.labels) })),
    pods: bare.filter((object) => object?.kind === "Pod").map(inventoryPod),
    services: merged.filter((object) => object?.kind === "Service").map((service) => inventoryService(service, pods)),
  };
  return { version: hash(content), ...content };
};

interface RawObject {
  readonly kind?: string;
  readonly metadata?: { readonly namespace?: string; readonly name?: string };
}

const readObjects = (folder: string): readonly RawObject[] =>
  readdirSync(folder)
    .filter((file) => /\.(?:ya?ml|json)$/.test(file))
    .flatMap((file) => parseAllDocuments(readFileSync(join(folder, file), "utf8")))
    .map((document) => document.toJS() as RawObject | null)
    .filter((object) => object !== null);

const keyOf = ({ kind, metadata }: RawObject): string => `${kind} ${metadata?.namespace ?? ""}/${metadata?.name}`;

const merge = (object: RawObject, added: RawObject | undefined): RawObject =>
  added === undefined ? object : (deepMerge(object, added) as RawObject);

const deepMerge = (base: unknown, added: unknown): unknown => {
  if (typeof base !== "object" || typeof added !== "object" || base === null || added === null) return added ?? base;
  if (Array.isArray(added)) return added;
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(added)) result[key] = deepMerge(result[key], value);
  return result;
};

const parse = (object: RawObject): MeshObject | undefined => {
  const result = readMeshObject(object);
  return result.ok ? result.value : undefined;
};

const inventoryPod = ({ metadata, status, ...pod }: PodObject): InventoryPod & { readonly status: PodStatus } => ({
  ...pod,
  status,
  namespace: metadata.namespace,
  name: metadata.name,
  labels: Object.fromEntries(metadata.labels),
  annotations: Object.fromEntries(metadata.annotations),
  specHash: hash(pod),
});

const inventoryService = (service: ServiceObject, pods: readonly PodObject[]): InventoryService => ({
  namespace: service.metadata.namespace,
  name: service.metadata.name,
  hostname: serviceHostname(service.metadata.namespace, service.metadata.name),
  headless: service.headless,
  wantsAddress: !service.headless && service.type !== "ExternalName",
  addresses: service.addresses,
  ports: service.ports.map(({ port, transport }) => ({ port, transport })),
  endpoints: pods.filter((pod) => isEndpoint(pod, service)).flatMap((pod) => endpointsOf(pod, service)),
});

const isEndpoint = (pod: PodObject, { selector, metadata }: ServiceObject): boolean =>
  selector !== undefined &&
  pod.metadata.namespace === metadata.namespace &&
  !isFinished(pod) &&
  selects(selector, pod.metadata.labels);

const endpointsOf = (pod: PodObject, { ports }: ServiceObject): readonly InventoryEndpoint[] =>
  pod.status.addresses.map((address) => ({
    address,
    ready: pod.status.ready && pod.metadata.deletionTimestamp === undefined,
    ports: ports.map(({ port, targetPort }) => ({ port, targetPort: Number(targetPort) })),
  }));

const hash = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
