import { err, type Result } from "../result.ts";
import { type BackendTrafficPolicyObject, backendTrafficPolicyObject } from "./backend-traffic-policy.ts";
import { type BackendTlsPolicyObject, backendTlsPolicyObject } from "./backend-tls-policy.ts";
import { type ConfigMapObject, configMapObject } from "./config-map.ts";
import { type EndpointSliceObject, endpointSliceObject } from "./endpoint-slice.ts";
import { type GrpcRouteObject, grpcRouteObject } from "./grpc-route.ts";
import { type HttpRouteObject, httpRouteObject } from "./http-route.ts";
import { type NamespaceObject, namespaceObject } from "./namespace.ts";
import { type PeerAuthenticationObject, peerAuthenticationObject } from "./peer-authentication.ts";
import { type PodObject, podObject } from "./pod.ts";
import { type Problem, read, type Reader } from "./reader.ts";
import { type ReferenceGrantObject, referenceGrantObject } from "./reference-grant.ts";
import { type ServiceAccountObject, serviceAccountObject } from "./service-account.ts";
import { type ServiceObject, serviceObject } from "./service.ts";

/** Every kind of object that the mesh reads. */
export type MeshObject =
  | NamespaceObject
  | ServiceAccountObject
  | PodObject
  | ServiceObject
  | EndpointSliceObject
  | PeerAuthenticationObject
  | HttpRouteObject
  | GrpcRouteObject
  | ReferenceGrantObject
  | BackendTrafficPolicyObject
  | BackendTlsPolicyObject
  | ConfigMapObject;

export type MeshKind = MeshObject["kind"];

interface KindReader {
  readonly apiVersions: readonly string[];
  readonly read: Reader<MeshObject>;
}

const KINDS: ReadonlyMap<string, KindReader> = new Map<MeshKind, KindReader>([
  ["Namespace", { apiVersions: ["v1"], read: namespaceObject }],
  ["ServiceAccount", { apiVersions: ["v1"], read: serviceAccountObject }],
  ["Pod", { apiVersions: ["v1"], read: podObject }],
  ["Service", { apiVersions: ["v1"], read: serviceObject }],
  ["EndpointSlice", { apiVersions: ["discovery.k8s.io/v1"], read: endpointSliceObject }],
  [
    "PeerAuthentication",
    { apiVersions: ["security.istio.io/v1", "security.istio.io/v1beta1"], read: peerAuthenticationObject },
  ],
  [
    "HTTPRoute",
    { apiVersions: ["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"], read: httpRouteObject },
  ],
  ["GRPCRoute", { apiVersions: ["gateway.networking.k8s.io/v1"], read: grpcRouteObject }],
  [
    "ReferenceGrant",
    { apiVersions: ["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"], read: referenceGrantObject },
  ],
  [
    "XBackendTrafficPolicy",
    { apiVersions: ["gateway.networking.x-k8s.io/v1alpha1"], read: backendTrafficPolicyObject },
  ],
  [
    "BackendTLSPolicy",
    {
      apiVersions: ["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1alpha3"],
      read: backendTlsPolicyObject,
    },
  ],
  ["ConfigMap", { apiVersions: ["v1"], read: configMapObject }],
]);

/** Whether the mesh reads objects of this kind at all; others are none of its business and no error. */
export const isMeshKind = (kind: unknown): kind is MeshKind => typeof kind === "string" && KINDS.has(kind);

/**
 * Reads one Kubernetes object whose kind is known ({@link isMeshKind}).
 * @returns the object, or every problem with its path.
 */
export const readMeshObject = (value: unknown): Result<MeshObject, readonly Problem[]> => {
  const { kind, apiVersion } = (value ?? {}) as { kind?: unknown; apiVersion?: unknown };
  const reader = typeof kind === "string" ? KINDS.get(kind) : undefined;
  if (!reader) return err([{ path: "kind", message: `${JSON.stringify(kind)} is not read by the mesh` }]);
  if (!reader.apiVersions.includes(String(apiVersion))) {
    return err([
      { path: "apiVersion", message: `must be ${reader.apiVersions.join(" or ")}, not ${String(apiVersion)}` },
    ]);
  }
  return read(reader.read, value);
};

/** `Kind namespace/name`, what an object is called in messages and keyed by. */
export const objectKey = ({ kind, metadata }: Pick<MeshObject, "kind" | "metadata">): string =>
  metadata.namespace === "" ? `${kind} ${metadata.name}` : `${kind} ${metadata.namespace}/${metadata.name}`;
