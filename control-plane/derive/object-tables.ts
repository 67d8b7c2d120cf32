import type { BackendTrafficPolicyObject } from "#mesh/objects/backend-traffic-policy.ts";
import type { BackendTlsPolicyObject } from "#mesh/objects/backend-tls-policy.ts";
import type { ConfigMapObject } from "#mesh/objects/config-map.ts";
import type { EndpointSliceObject, SliceEndpoint } from "#mesh/objects/endpoint-slice.ts";
import type { GrpcRouteObject } from "#mesh/objects/grpc-route.ts";
import type { HttpRouteObject } from "#mesh/objects/http-route.ts";
import type { MeshObject } from "#mesh/objects/mesh-object.ts";
import type { NamespaceObject } from "#mesh/objects/namespace.ts";
import type { PeerAuthenticationObject } from "#mesh/objects/peer-authentication.ts";
import { isFinished, type PodObject } from "#mesh/objects/pod.ts";
import type { ReferenceGrantObject } from "#mesh/objects/reference-grant.ts";
import type { ServiceAccountObject } from "#mesh/objects/service-account.ts";
import type { ServiceObject } from "#mesh/objects/service.ts";
import { configMapsOf } from "./tls-policy.ts";
import { targetedServices } from "./policy-targets.ts";
import { IndexedTable } from "./indexed-table.ts";
import { isWorkload } from "./pod-workload.ts";
import { backendNamespaces, backendServices, parentServices } from "./route-references.ts";

/** `namespace/name`, or the name alone for objects that live in no namespace: the key within a kind. */
export const tableKey = ({ metadata }: MeshObject): string =>
  metadata.namespace === "" ? metadata.name : `${metadata.namespace}/${metadata.name}`;

/** An object before and after a change; at least one of the two is there. */
export interface ObjectChange {
  readonly before: MeshObject | undefined;
  readonly after: MeshObject | undefined;
}

/** Routes are found by the Services that they attach to and by those that they send requests to. */
export type RouteIndex = "parent" | "backend" | "backend namespace";

const ROUTE_INDEXES = { parent: parentServices, backend: backendServices, "backend namespace": backendNamespaces };

/** All objects, found by what others of them refer to. */
export class ObjectTables {
  readonly namespaces = new IndexedTable<NamespaceObject, never>({});
  readonly serviceAccounts = new IndexedTable<ServiceAccountObject, never>({});
  readonly pods = new IndexedTable<PodObject, "namespace" | "address" | "node account">({
    namespace: inNamespace,
    // On the host's network an address does not tell pods apart.
    address: (pod) => (isWorkload(pod) && !pod.hostNetwork ? pod.status.addresses : []),
    "node account": (pod) =>
      pod.nodeName === "" || isFinished(pod)
        ? []
        : [scheduledAccount(pod.nodeName, pod.metadata.namespace, pod.serviceAccount)],
  });
  readonly services = new IndexedTable<ServiceObject, "namespace" | "address">({
    namespace: inNamespace,
    address: ({ addresses }) => addresses,
  });
  readonly slices = new IndexedTable<EndpointSliceObject, "service" | "pod" | "address">({
    service: (slice) => (slice.service === "" ? [] : [serviceOfSlice(slice)]),
    pod: ({ metadata, endpoints }) =>
      endpoints.flatMap(({ pod }) => (pod === undefined ? [] : [`${metadata.namespace}/${pod}`])),
    address: ({ endpoints }) => endpoints.flatMap(addressWithoutPod),
  });
  readonly peerAuthentications = new IndexedTable<PeerAuthenticationObject, "namespace">({ namespace: inNamespace });
  readonly httpRoutes = new IndexedTable<HttpRouteObject, RouteIndex>(ROUTE_INDEXES);
  readonly grpcRoutes = new IndexedTable<GrpcRouteObject, RouteIndex>(ROUTE_INDEXES);
  readonly backendTrafficPolicies = new IndexedTable<BackendTrafficPolicyObject, "target">({
    target: targetedServices,
  });
  readonly backendTlsPolicies = new IndexedTable<BackendTlsPolicyObject, "target" | "config map">({
    target: targetedServices,
    "config map": configMapsOf,
  });
  readonly configMaps = new IndexedTable<ConfigMapObject, never>({});
  readonly referenceGrants = new IndexedTable<ReferenceGrantObject, "namespace">({ namespace: inNamespace });

  /** Puts an object in, or takes it out with undefined. @param key as of mesh/objects: `Pod shop/web-0` */
  set(key: string, object: MeshObject | undefined): ObjectChange {
    const [kind = "", name = ""] = key.split(" ");
    return { before: this.#table(kind).set(name, object), after: object };
  }

  #table(kind: string): IndexedTable<MeshObject, never> {
    const tables: Readonly<Record<string, unknown>> = {
      Namespace: this.namespaces,
      ServiceAccount: this.serviceAccounts,
      Pod: this.pods,
      Service: this.services,
      EndpointSlice: this.slices,
      PeerAuthentication: this.peerAuthentications,
      HTTPRoute: this.httpRoutes,
      GRPCRoute: this.grpcRoutes,
      ReferenceGrant: this.referenceGrants,
      XBackendTrafficPolicy: this.backendTrafficPolicies,
      BackendTLSPolicy: this.backendTlsPolicies,
      ConfigMap: this.configMaps,
    };
    const table = tables[kind];
    if (!table) throw new Error(`no table for objects of kind ${kind}`);
    return table as IndexedTable<MeshObject, never>;
  }
}

/** The service account of a pod on a node, which is what the node may have a certificate for. */
export const scheduledAccount = (node: string, namespace: string, serviceAccount: string): string =>
  `${node} ${namespace}/${serviceAccount}`;

/** Key of the service that a slice belongs to. */
export const serviceOfSlice = ({ metadata, service }: EndpointSliceObject): string =>
  `${metadata.namespace}/${service}`;

/**
 * The address of an endpoint that names no pod. Of several only the first: they all lead to the same endpoint, and none of
 * them has to be preferred (discovery.k8s.io/v1).
 */
export const addressWithoutPod = ({ pod, addresses }: SliceEndpoint): typeof addresses =>
  pod === undefined ? addresses.slice(0, 1) : [];

const inNamespace = ({ metadata }: MeshObject): readonly string[] => [metadata.namespace];
