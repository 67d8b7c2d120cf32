import { type BackendReference, isService } from "#mesh/objects/gateway-reference.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import type { BackendTarget } from "#mesh/routes/route.ts";
import type { MeshContext } from "./mesh-context.ts";
import type { ObjectTables } from "./object-tables.ts";
import { referencedService, type RouteObject } from "./route-references.ts";
import { isInMesh, meshServiceName } from "./service-model.ts";

/** Why a reference of a route leads nowhere, in the words of the ResolvedRefs condition. */
export interface UnresolvedReference {
  readonly reason: "RefNotPermitted" | "InvalidKind" | "BackendNotFound" | "UnsupportedProtocol";
  readonly message: string;
}

/** Where a backendRef leads. */
export const resolveBackend = (
  tables: ObjectTables,
  context: MeshContext,
  route: RouteObject,
  reference: BackendReference,
): Result<BackendTarget, UnresolvedReference> => {
  if (!isService(reference)) {
    const kind = `${reference.group}/${reference.kind}`.replace(/^\//, "");
    return err({ reason: "InvalidKind", message: `${kind} ${reference.name} is not a Service` });
  }
  const key = referencedService(route, reference);
  const [namespace = "", name = ""] = key.split("/");
  if (context.areReferenceGrantsRequired && !isGranted(tables, route, namespace, name)) {
    return err({ reason: "RefNotPermitted", message: `no ReferenceGrant in ${namespace} permits Service ${key}` });
  }
  const service = tables.services.get(key);
  if (!service) return err({ reason: "BackendNotFound", message: `Service ${key} is not there` });
  if (!isInMesh(service)) {
    return err({ reason: "InvalidKind", message: `Service ${key} is an ExternalName: nobody is behind it` });
  }
  const port = service.ports.find((each) => each.port === reference.port && each.transport === "TCP");
  if (!port) return err({ reason: "BackendNotFound", message: `Service ${key} has no TCP port ${reference.port}` });
  if (port.protocol === "tls") {
    return err({ reason: "UnsupportedProtocol", message: `Service ${key} speaks TLS on port ${port.port}` });
  }
  return ok({ kind: "service", service: meshServiceName(namespace, name), port: port.port });
};

/** Whether a ReferenceGrant in the target's namespace permits it. Within a namespace none is needed. */
const isGranted = (tables: ObjectTables, route: RouteObject, namespace: string, name: string): boolean =>
  namespace === route.metadata.namespace ||
  tables.referenceGrants
    .where("namespace", namespace)
    .some(
      ({ from, to }) =>
        from.some(
          (each) =>
            each.group === "gateway.networking.k8s.io" &&
            each.kind === route.kind &&
            each.namespace === route.metadata.namespace,
        ) && to.some((each) => isService(each) && (each.name === undefined || each.name === name)),
    );
