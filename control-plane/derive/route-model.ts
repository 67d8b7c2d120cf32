import { assertNever } from "#mesh/assert-never.ts";
import type { RouteParentStatus } from "#mesh/admin/control-plane-status.ts";
import { type MeshObject, objectKey } from "#mesh/objects/mesh-object.ts";
import type { PortRoutes, RouteSet } from "#mesh/routes/route.ts";
import type { ServiceName } from "#mesh/service.ts";
import type { MeshContext } from "./mesh-context.ts";
import { type ObjectChange, type ObjectTables, tableKey } from "./object-tables.ts";
import { type AttachedRoutes, attachmentsOf, routesAt, type ServiceAttachments } from "./route-attachments.ts";
import { resolveBackend } from "./route-backends.ts";
import { parentServices, type RouteObject } from "./route-references.ts";
import { type ResolveBackend, routeModel } from "./route-rules.ts";
import { routeStatus } from "./route-status.ts";
import { meshServiceName } from "./service-model.ts";

/** The routes of Services that were derived anew; undefined: there are none any more. Some may be the same as before. */
export type RouteChange = ReadonlyMap<ServiceName, readonly PortRoutes[] | undefined>;

/**
 * The routes of all Services, and what became of each route. A change derives again what depends on it: the Services that a
 * changed route names, those whose routes send to a changed Service, and the status of every route that shares a Service.
 */
export class RouteModel {
  readonly #context: MeshContext;
  readonly #tables: ObjectTables;
  readonly #routes = new Map<ServiceName, readonly PortRoutes[]>();
  readonly #statuses = new Map<string, readonly RouteParentStatus[]>();

  constructor(context: MeshContext, tables: ObjectTables) {
    this.#context = context;
    this.#tables = tables;
  }

  /** By Service; those without routes are left out. */
  routes(): ReadonlyMap<ServiceName, readonly PortRoutes[]> {
    return this.#routes;
  }

  /** By key of the route: `HTTPRoute shop/web`. */
  statuses(): ReadonlyMap<string, readonly RouteParentStatus[]> {
    return this.#statuses;
  }

  /** @param changes that the tables have in them already */
  apply(changes: readonly ObjectChange[]): RouteChange {
    const services = new Set<string>();
    const routes = new Set<string>();
    for (const { before, after } of changes) {
      for (const object of [before, after]) if (object) this.#mark(object, services, routes);
    }
    for (const service of services) for (const route of routesAt(this.#tables, service)) routes.add(objectKey(route));
    const attachments = remembered((service) => attachmentsOf(this.#tables, service));
    const change = new Map([...services].map((service) => this.#deriveService(service, attachments(service))));
    for (const route of routes) this.#deriveStatus(route, attachments);
    return change;
  }

  #mark(object: MeshObject, services: Set<string>, routes: Set<string>): void {
    switch (object.kind) {
      case "HTTPRoute":
      case "GRPCRoute":
        markRoute(object, services, routes);
        return;
      case "Service":
        services.add(tableKey(object));
        for (const route of this.#routesWhere("backend", tableKey(object))) markRoute(route, services, routes);
        return;
      case "ReferenceGrant":
        if (!this.#context.areReferenceGrantsRequired) return;
        for (const route of this.#routesWhere("backend namespace", object.metadata.namespace)) {
          markRoute(route, services, routes);
        }
        return;
      case "Namespace":
      case "ServiceAccount":
      case "Pod":
      case "EndpointSlice":
      case "PeerAuthentication":
      case "XBackendTrafficPolicy":
      case "BackendTLSPolicy":
      case "ConfigMap":
        return;
      default:
        assertNever(object);
    }
  }

  #routesWhere(index: "backend" | "backend namespace", value: string): readonly RouteObject[] {
    const { httpRoutes, grpcRoutes } = this.#tables;
    return [...httpRoutes.where(index, value), ...grpcRoutes.where(index, value)];
  }

  #resolver(route: RouteObject): ResolveBackend {
    return (reference) => resolveBackend(this.#tables, this.#context, route, reference);
  }

  #deriveService(key: string, attachments: ServiceAttachments): readonly [ServiceName, PortRoutes[] | undefined] {
    const [namespace = "", name = ""] = key.split("/");
    const service = meshServiceName(namespace, name);
    const ports = [...attachments]
      .sort(([a], [b]) => a - b)
      .map(([port, groups]): PortRoutes => {
        const producer = groups.get(namespace);
        const consumers = [...groups].filter(([group]) => group !== namespace);
        return {
          service,
          port,
          producer: producer && this.#routeSet(producer),
          consumers: new Map(consumers.map(([group, routes]) => [group, this.#routeSet(routes)])),
        };
      });
    if (ports.length === 0) this.#routes.delete(service);
    else this.#routes.set(service, ports);
    return [service, ports.length === 0 ? undefined : ports];
  }

  /** Of several kinds only one applies: GRPCRoutes before HTTPRoutes (GEP-1294). */
  #routeSet({ http, grpc }: AttachedRoutes): RouteSet {
    return grpc.length > 0
      ? { kind: "grpc", routes: grpc.map((route) => routeModel(route, this.#resolver(route))) }
      : { kind: "http", routes: http.map((route) => routeModel(route, this.#resolver(route))) };
  }

  #deriveStatus(key: string, attachments: (service: string) => ServiceAttachments): void {
    const [kind, name = ""] = key.split(" ");
    const route = kind === "HTTPRoute" ? this.#tables.httpRoutes.get(name) : this.#tables.grpcRoutes.get(name);
    if (route) this.#statuses.set(key, routeStatus(this.#tables, route, attachments, this.#resolver(route)));
    else this.#statuses.delete(key);
  }
}

const markRoute = (route: RouteObject, services: Set<string>, routes: Set<string>): void => {
  routes.add(objectKey(route));
  for (const service of parentServices(route)) services.add(service);
};

const remembered = <Value>(make: (key: string) => Value): ((key: string) => Value) => {
  const values = new Map<string, Value>();
  return (key) => {
    const value = values.get(key) ?? make(key);
    values.set(key, value);
    return value;
  };
};
