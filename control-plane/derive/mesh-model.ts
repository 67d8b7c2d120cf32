import type { IpAddress } from "#mesh/ip-address.ts";
import type { MeshObject } from "#mesh/objects/mesh-object.ts";
import { type Authorization, policyName } from "#mesh/policies/authorization.ts";
import type { Service, ServiceName } from "#mesh/service.ts";
import type { Workload } from "#mesh/workload.ts";
import { authenticationOf, namespaceMode } from "./authentication-view.ts";
import { dirtyAfter, type WorkloadTable } from "./dirty-set.ts";
import { outsideEndpoint, servicesOfPod } from "./endpoints.ts";
import { IndexedTable } from "./indexed-table.ts";
import type { MeshContext } from "./mesh-context.ts";
import { ObjectTables, scheduledAccount } from "./object-tables.ts";
import { convertedPolicy, convertedPolicyName, type EffectiveMode, staticStrictPolicy } from "./peer-authentication.ts";
import { isWorkload, podWorkload } from "./pod-workload.ts";
import { type BackendChange, BackendModel } from "./backend-model.ts";
import { type RouteChange, RouteModel } from "./route-model.ts";
import { isInMesh, meshServiceName, serviceModel } from "./service-model.ts";
import { sliceWorkload } from "./slice-workload.ts";

/** Parts of the model that were derived anew. Undefined: gone. Some may be the same as before. */
export interface ModelChange {
  readonly workloads: ReadonlyMap<string, Workload | undefined>;
  readonly services: ReadonlyMap<ServiceName, Service | undefined>;
  readonly policies: ReadonlyMap<string, Authorization | undefined>;
  readonly routes: RouteChange;
  readonly backends: BackendChange;
}

/**
 * The mesh as it follows from its objects. A change derives again what depends on it and nothing else; after any sequence of
 * changes the model is the one that a fresh start with the same objects would give.
 */
export class MeshModel {
  readonly context: MeshContext;
  readonly tables = new ObjectTables();
  readonly routes: RouteModel;
  readonly backends: BackendModel;
  readonly #services = new Map<ServiceName, Service>();
  readonly #policies = new Map<string, Authorization>();
  readonly #modes = new Map<string, EffectiveMode>();
  readonly #workloads: WorkloadTable = new IndexedTable({
    namespace: ({ namespace }) => [namespace],
    service: ({ services }) => [...services.keys()],
  });

  constructor(context: MeshContext) {
    this.context = context;
    this.routes = new RouteModel(context, this.tables);
    this.backends = new BackendModel(this.tables);
  }

  workload(uid: string): Workload | undefined {
    return this.#workloads.get(uid);
  }

  workloads(): Iterable<Workload> {
    return this.#workloads.values();
  }

  /** The workloads behind a service, whatever their health. */
  endpoints(service: ServiceName): readonly Workload[] {
    return this.#workloads.where("service", service);
  }

  /** The nodes with a pod that is reached through tunnels: whose proxy has certificates. */
  meshNodes(): ReadonlySet<string> {
    return new Set([...this.#workloads.values()].filter(({ tunnel }) => tunnel === "hbone").map(({ node }) => node));
  }

  services(): ReadonlyMap<ServiceName, Service> {
    return this.#services;
  }

  policies(): ReadonlyMap<string, Authorization> {
    return this.#policies;
  }

  /** Whether a workload's callers must come through mutual TLS, exceptions for single ports aside. */
  modeOf(uid: string): EffectiveMode {
    return this.#modes.get(uid) ?? "PERMISSIVE";
  }

  /** Whether a pod with this service account that has not ended is scheduled on the node. */
  isScheduled(node: string, namespace: string, serviceAccount: string): boolean {
    return this.tables.pods.hasWhere("node account", scheduledAccount(node, namespace, serviceAccount));
  }

  /** @param objects by key (`Pod shop/web-0`); undefined removes */
  apply(objects: ReadonlyMap<string, MeshObject | undefined>): ModelChange {
    const changes = [...objects].map(([key, object]) => this.tables.set(key, object));
    const view = { context: this.context, tables: this.tables, workloads: this.#workloads };
    const dirty = dirtyAfter(changes, view);
    return {
      workloads: new Map([...dirty.workloads].map((uid) => [uid, this.#deriveWorkload(uid)])),
      services: new Map([...dirty.services].map((key) => this.#deriveService(key))),
      policies: new Map(
        dirty.policies.size === 0
          ? []
          : [...[...dirty.policies].map((key) => this.#derivePolicy(key)), this.#deriveStatic()],
      ),
      routes: this.routes.apply(changes),
      backends: this.backends.apply(changes),
    };
  }

  #deriveWorkload(uid: string): Workload | undefined {
    const [, , kind, namespace = "", name = "", address] = uid.split("/");
    const workload =
      kind === "Pod" ? this.#podWorkload(uid, namespace, name) : this.#sliceWorkload(uid, namespace, name, address);
    if (!workload) this.#modes.delete(uid);
    this.#workloads.set(uid, workload);
    return workload;
  }

  #podWorkload(uid: string, namespace: string, name: string): Workload | undefined {
    const pod = this.tables.pods.get(`${namespace}/${name}`);
    if (!pod || !isWorkload(pod)) return undefined;
    const authentication = authenticationOf(this.tables, this.context.rootNamespace, namespace, pod.metadata.labels);
    this.#modes.set(uid, authentication.mode);
    return podWorkload(this.context, pod, servicesOfPod(this.tables, pod), authentication);
  }

  #sliceWorkload(uid: string, namespace: string, slice: string, address: string | undefined): Workload | undefined {
    const endpoint = outsideEndpoint(this.tables, namespace, slice, address as IpAddress);
    if (!endpoint) return undefined;
    const authentication = authenticationOf(this.tables, this.context.rootNamespace, namespace, new Map());
    this.#modes.set(uid, authentication.mode);
    return sliceWorkload(this.context, endpoint, authentication);
  }

  #deriveService(key: string): readonly [ServiceName, Service | undefined] {
    const object = this.tables.services.get(key);
    const [namespace = "", name = ""] = key.split("/");
    const service = object && isInMesh(object) ? serviceModel(object) : undefined;
    return put(this.#services, meshServiceName(namespace, name), service);
  }

  #derivePolicy(key: string): readonly [string, Authorization | undefined] {
    const object = this.tables.peerAuthentications.get(key);
    const [namespace = "", name = ""] = key.split("/");
    const { rootNamespace } = this.context;
    const isEffective = object?.selector !== undefined && namespace !== rootNamespace;
    const policy = isEffective && convertedPolicy(object, namespaceMode(this.tables, rootNamespace, namespace));
    return put(this.#policies, convertedPolicyName(namespace, name), policy || undefined);
  }

  /** As istiod: there as soon as anybody has a PeerAuthentication. */
  #deriveStatic(): readonly [string, Authorization | undefined] {
    const policy = staticStrictPolicy(this.context.rootNamespace);
    const isThere = !this.tables.peerAuthentications.keys()[Symbol.iterator]().next().done;
    return put(this.#policies, policyName(policy), isThere ? policy : undefined);
  }
}

const put = <Key, Value>(
  map: Map<Key, Value>,
  key: Key,
  value: Value | undefined,
): readonly [Key, Value | undefined] => {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
  return [key, value];
};
