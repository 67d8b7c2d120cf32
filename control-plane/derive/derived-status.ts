import type { RouteCondition } from "#mesh/admin/control-plane-status.ts";
import { objectKey } from "#mesh/objects/mesh-object.ts";
import type { MeshModel } from "./mesh-model.ts";

/** What the mesh has to say in the `status` of an object: what a controller would write there. */
export interface DerivedStatus {
  /** The version in which the API shows the object, whichever it was written in. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** `metadata.generation` of what it speaks of; 0 where nobody counts. */
  readonly generation: number;
  /** Gateway API's RouteStatus has `parents`, its PolicyStatus `ancestors`. */
  readonly field: "parents" | "ancestors";
  /** Another list where it may be different, the same where it is not. */
  readonly entries: readonly StatusEntry[];
}

/** One entry: whom it is about, who says it, and what. */
export interface StatusEntry {
  readonly controllerName: string;
  readonly conditions: readonly RouteCondition[];
}

/** The statuses of all objects that have one. */
export const derivedStatuses = (model: MeshModel): readonly DerivedStatus[] => [
  ...routeStatuses(model),
  ...policyStatuses(model),
];

const policyStatuses = ({ backends, tables }: MeshModel): readonly DerivedStatus[] =>
  [...tables.backendTrafficPolicies.values(), ...tables.backendTlsPolicies.values()].map(({ kind, metadata }) => ({
    apiVersion: POLICY_VERSIONS[kind],
    kind,
    namespace: metadata.namespace,
    name: metadata.name,
    generation: metadata.generation,
    field: "ancestors",
    entries: backends.statuses().get(objectKey({ kind, metadata })) ?? NO_ENTRIES,
  }));

const POLICY_VERSIONS = {
  XBackendTrafficPolicy: "gateway.networking.x-k8s.io/v1alpha1",
  BackendTLSPolicy: "gateway.networking.k8s.io/v1",
} as const;

const NO_ENTRIES: readonly StatusEntry[] = [];

const routeStatuses = ({ routes, tables }: MeshModel): readonly DerivedStatus[] =>
  [...routes.statuses()].flatMap(([key, entries]) => {
    const [kind = "", name = ""] = key.split(" ");
    const route = kind === "HTTPRoute" ? tables.httpRoutes.get(name) : tables.grpcRoutes.get(name);
    if (!route) return [];
    const { metadata } = route;
    return [
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind,
        namespace: metadata.namespace,
        name: metadata.name,
        generation: metadata.generation,
        field: "parents",
        entries,
      },
    ];
  });
