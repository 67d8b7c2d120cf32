import { assertNever } from "#mesh/assert-never.ts";
import { selects } from "#mesh/objects/metadata.ts";
import type { MeshObject } from "#mesh/objects/mesh-object.ts";
import type { PeerAuthenticationObject } from "#mesh/objects/peer-authentication.ts";
import type { PodObject } from "#mesh/objects/pod.ts";
import { podWorkloadUid, type Workload } from "#mesh/workload.ts";
import { candidatesOfService } from "./endpoints.ts";
import type { IndexedTable } from "./indexed-table.ts";
import type { MeshContext } from "./mesh-context.ts";
import { meshServiceName } from "./service-model.ts";
import { type ObjectChange, type ObjectTables, serviceOfSlice, tableKey } from "./object-tables.ts";

/** The workloads that were derived, and how they are found. */
export type WorkloadTable = IndexedTable<Workload, "namespace" | "service">;

/** What has to be derived again. */
export interface DirtySet {
  /** Uids. */
  readonly workloads: Set<string>;
  /** Keys of services: `namespace/name`. */
  readonly services: Set<string>;
  /** Keys of PeerAuthentications. */
  readonly policies: Set<string>;
}

/** Where changes are looked at from: the tables with all changes in them, the workloads as they were before. */
export interface DirtyView {
  readonly context: MeshContext;
  readonly tables: ObjectTables;
  readonly workloads: WorkloadTable;
}

/**
 * What depends on objects that changed. What an object stood in relation to before is found through the workloads that were
 * derived from it; what it stands in relation to now through the tables.
 */
export const dirtyAfter = (changes: readonly ObjectChange[], view: DirtyView): DirtySet => {
  const dirty: DirtySet = { workloads: new Set(), services: new Set(), policies: new Set() };
  for (const { before, after } of changes) {
    if (before) mark(dirty, before, view);
    if (after) mark(dirty, after, view);
  }
  return dirty;
};

const mark = (dirty: DirtySet, object: MeshObject, view: DirtyView): void => {
  switch (object.kind) {
    case "Namespace":
    case "ServiceAccount":
    case "HTTPRoute":
    case "GRPCRoute":
    case "ReferenceGrant":
    case "XBackendTrafficPolicy":
    case "BackendTLSPolicy":
    case "ConfigMap":
      return;
    case "Pod":
      markPod(dirty, object, view);
      return;
    case "Service":
      dirty.services.add(tableKey(object));
      markMembers(dirty, tableKey(object), view);
      return;
    case "EndpointSlice":
      markMembers(dirty, serviceOfSlice(object), view);
      return;
    case "PeerAuthentication":
      markPolicy(dirty, object, view);
      return;
    default:
      assertNever(object);
  }
};

/** A pod takes an address from the slices' own endpoints, or leaves it to them. */
const markPod = (dirty: DirtySet, pod: PodObject, view: DirtyView): void => {
  dirty.workloads.add(podWorkloadUid(view.context.cluster, pod.metadata.namespace, pod.metadata.name));
  for (const address of pod.status.addresses) {
    for (const slice of view.tables.slices.where("address", address)) markMembers(dirty, serviceOfSlice(slice), view);
  }
};

/** Everybody who was behind a service, and everybody who may be now. */
const markMembers = (dirty: DirtySet, service: string, { context, tables, workloads }: DirtyView): void => {
  const [namespace = "", name = ""] = service.split("/");
  const known = meshServiceName(namespace, name);
  for (const uid of workloads.keysWhere("service", known)) dirty.workloads.add(uid);
  for (const uid of candidatesOfService(tables, context.cluster, service)) dirty.workloads.add(uid);
};

const markPolicy = (dirty: DirtySet, policy: PeerAuthenticationObject, view: DirtyView): void => {
  const { namespace } = policy.metadata;
  dirty.policies.add(tableKey(policy));
  if (policy.selector === undefined)
    markHeirs(dirty, namespace === view.context.rootNamespace ? undefined : namespace, view);
  else markSelected(dirty, policy, view);
};

/** Everything that inherits from a namespace's policy, or with undefined from the mesh's. */
const markHeirs = (dirty: DirtySet, namespace: string | undefined, { tables, workloads }: DirtyView): void => {
  const policies = tables.peerAuthentications;
  const uids = namespace === undefined ? workloads.keys() : workloads.keysWhere("namespace", namespace);
  for (const uid of uids) dirty.workloads.add(uid);
  for (const key of namespace === undefined ? policies.keys() : policies.keysWhere("namespace", namespace)) {
    dirty.policies.add(key);
  }
};

const markSelected = (dirty: DirtySet, { metadata, selector }: PeerAuthenticationObject, view: DirtyView): void => {
  for (const pod of view.tables.pods.where("namespace", metadata.namespace)) {
    if (selector && !selects(selector, pod.metadata.labels)) continue;
    dirty.workloads.add(podWorkloadUid(view.context.cluster, metadata.namespace, pod.metadata.name));
  }
};
