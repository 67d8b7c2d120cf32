import { isService, type ParentReference } from "#mesh/objects/gateway-reference.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import type { ObjectTables } from "./object-tables.ts";
import { referencedService, type RouteObject } from "./route-references.ts";
import { routeValidity } from "./route-rules.ts";
import { isInMesh } from "./service-model.ts";

/** Routes of both kinds at one port, of one group. */
export interface AttachedRoutes {
  readonly http: readonly (RouteObject & { readonly kind: "HTTPRoute" })[];
  readonly grpc: readonly (RouteObject & { readonly kind: "GRPCRoute" })[];
}

/** The routes that attach to a Service: by port, then by the namespace that they stand in. */
export type ServiceAttachments = ReadonlyMap<number, ReadonlyMap<string, AttachedRoutes>>;

/** All routes that can be applied at all and name a port of the Service. @param service key: `namespace/name` */
export const attachmentsOf = (tables: ObjectTables, service: string): ServiceAttachments => {
  const attachments = new Map<number, Map<string, { http: AttachedRoutes["http"]; grpc: AttachedRoutes["grpc"] }>>();
  for (const route of routesAt(tables, service)) {
    if (!routeValidity(route).isUsable) continue;
    const ports = new Set(
      parentsAt(route, service).flatMap((parent) => {
        const found = parentPorts(tables, route, parent);
        return found.ok ? found.value : [];
      }),
    );
    for (const port of ports) {
      const groups = attachments.get(port) ?? new Map();
      attachments.set(port, groups);
      const group = groups.get(route.metadata.namespace) ?? { http: [], grpc: [] };
      groups.set(route.metadata.namespace, group);
      if (route.kind === "HTTPRoute") group.http = [...group.http, route];
      else group.grpc = [...group.grpc, route];
    }
  }
  return attachments;
};

/** The routes that name a Service as parent, in the order of their names. */
export const routesAt = (tables: ObjectTables, service: string): readonly RouteObject[] =>
  [...tables.httpRoutes.where("parent", service), ...tables.grpcRoutes.where("parent", service)].sort((a, b) =>
    nameOf(a) < nameOf(b) ? -1 : 1,
  );

const nameOf = ({ kind, metadata }: RouteObject): string => `${metadata.namespace}/${metadata.name} ${kind}`;

const parentsAt = (route: RouteObject, service: string): readonly ParentReference[] =>
  route.parents.filter((parent) => isService(parent) && referencedService(route, parent) === service);

/** The Service's ports that a parentRef means; or why it means none. */
export const parentPorts = (
  tables: ObjectTables,
  route: RouteObject,
  parent: ParentReference,
): Result<readonly number[], string> => {
  const key = referencedService(route, parent);
  const service = tables.services.get(key);
  if (!service) return err(`Service ${key} is not there`);
  if (!isInMesh(service)) return err(`Service ${key} is an ExternalName, which the mesh does not serve`);
  if (service.headless) return err(`Service ${key} is headless: it has no address that a route could apply to`);
  const ports = service.ports
    .filter(({ transport }) => transport === "TCP")
    .filter(({ port }) => parent.port === undefined || port === parent.port)
    .filter(({ name }) => parent.sectionName === undefined || name === parent.sectionName)
    .map(({ port }) => port);
  const wanted = [
    ...(parent.port === undefined ? [] : [String(parent.port)]),
    ...(parent.sectionName === undefined ? [] : [`named ${parent.sectionName}`]),
  ].join(" ");
  return ports.length > 0 ? ok(ports) : err(`Service ${key} has no TCP port${wanted === "" ? "" : ` ${wanted}`}`);
};
