import { type MeshObject, readMeshObject } from "#mesh/objects/mesh-object.ts";
import type { Metadata } from "#mesh/objects/metadata.ts";
import { type PodObject, REDIRECTION_ANNOTATION } from "#mesh/objects/pod.ts";
import type { ServiceObject } from "#mesh/objects/service.ts";
import type { ObjectReading } from "./read-file-objects.ts";

/**
 * What a cluster would decide about a declared object: where a pod runs and how it fares, which virtual address a service has.
 * It adds to the object of the same name, and never makes one.
 */
export type Assignment =
  | { readonly kind: "Pod"; readonly pod: PodObject }
  | { readonly kind: "Service"; readonly service: ServiceObject };

/** Reads an assignment: an object of which only some parts are there. */
export const readAssignment = (value: unknown): ObjectReading<Assignment> => {
  const { kind, spec } = (value ?? {}) as { readonly kind?: unknown; readonly spec?: object };
  if (kind !== "Pod" && kind !== "Service") {
    return {
      kind: "refused",
      problems: [{ path: "kind", message: "must be Pod or Service: nothing else is assigned" }],
    };
  }
  const read = readMeshObject({ ...(value as object), spec: { containers: [], ...spec } });
  if (!read.ok) return { kind: "refused", problems: read.error };
  const object = read.value;
  if (object.kind === "Service") return { kind: "object", item: { kind: "Service", service: object } };
  return { kind: "object", item: { kind: "Pod", pod: object as PodObject } };
};

/** The object as it stands in the cluster. */
export const withAssignment = (declared: MeshObject, assignment: Assignment | undefined): MeshObject => {
  if (declared.kind === "Pod" && assignment?.kind === "Pod") return assignedPod(declared, assignment.pod);
  if (declared.kind === "Service" && assignment?.kind === "Service")
    return assignedService(declared, assignment.service);
  return declared;
};

/**
 * Forgets what only a cluster can say of a pod, where somebody else assigns it: a file written by `kubectl get -o yaml` has
 * the addresses of another cluster, and claims a capture that nobody here has made.
 */
export const withoutAssignment = (declared: MeshObject): MeshObject => {
  if (declared.kind !== "Pod") return declared;
  const annotations = new Map(declared.metadata.annotations);
  annotations.delete(REDIRECTION_ANNOTATION);
  return {
    ...declared,
    metadata: { ...declared.metadata, annotations },
    status: { phase: "Pending", addresses: [], ready: false },
  };
};

const assignedPod = (pod: PodObject, given: PodObject): PodObject => ({
  ...pod,
  metadata: assignedMetadata(pod.metadata, given.metadata),
  nodeName: given.nodeName === "" ? pod.nodeName : given.nodeName,
  status: given.status,
});

const assignedService = (service: ServiceObject, given: ServiceObject): ServiceObject => ({
  ...service,
  metadata: assignedMetadata(service.metadata, given.metadata),
  addresses: service.headless || given.addresses.length === 0 ? service.addresses : given.addresses,
});

const assignedMetadata = (declared: Metadata, given: Metadata): Metadata => ({
  ...declared,
  uid: given.uid === "" ? declared.uid : given.uid,
  annotations: new Map([...declared.annotations, ...given.annotations]),
  deletionTimestamp: given.deletionTimestamp ?? declared.deletionTimestamp,
});
