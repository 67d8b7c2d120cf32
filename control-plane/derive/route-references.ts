import { type BackendReference, isService, type ParentReference } from "#mesh/objects/gateway-reference.ts";
import type { GrpcRouteObject } from "#mesh/objects/grpc-route.ts";
import type { HttpRouteObject } from "#mesh/objects/http-route.ts";

export type RouteObject = HttpRouteObject | GrpcRouteObject;

/** Key of the Service that a reference of a route names: `namespace/name`. */
export const referencedService = (
  route: RouteObject,
  { namespace, name }: Pick<ParentReference | BackendReference, "namespace" | "name">,
): string => `${namespace ?? route.metadata.namespace}/${name}`;

/** Keys of the Services that a route attaches to; parents of other kinds are somebody else's. */
export const parentServices = (route: RouteObject): readonly string[] => [
  ...new Set(route.parents.filter(isService).map((parent) => referencedService(route, parent))),
];

/** Keys of the Services that a route sends requests or copies of them to. */
export const backendServices = (route: RouteObject): readonly string[] => [
  ...new Set(
    backendReferences(route)
      .filter(isService)
      .map((reference) => referencedService(route, reference)),
  ),
];

/** Namespaces of the Services that a route sends requests or copies of them to. */
export const backendNamespaces = (route: RouteObject): readonly string[] => [
  ...new Set(backendReferences(route).map(({ namespace }) => namespace ?? route.metadata.namespace)),
];

/** Everything that a route sends requests or copies of them to. */
export const backendReferences = (route: RouteObject): readonly BackendReference[] =>
  route.rules.flatMap(({ backends, filters }) =>
    [
      ...backends.map(({ target }) => target),
      ...[...filters, ...backends.flatMap((backend) => backend.filters)].map((filter) =>
        filter.kind === "request-mirror" ? filter.target : undefined,
      ),
    ].filter((reference) => reference !== undefined),
  );
