import { fromBinary } from "@bufbuild/protobuf";
import { type Routing as ProtoRouting, RoutingSchema } from "#api/gen/heddle/routes/v1alpha1/routing_pb.js";
import { err, ok, type Result } from "#mesh/result.ts";
import type { HttpRoute, PortRoutes } from "#mesh/routes/route.ts";
import { portKey } from "#mesh/routes/route-table.ts";
import { formatProblems, portNumber, serviceNameOf } from "./field-checks.ts";
import { decodeRoutes } from "./routes.ts";
import { hasUnknownFields } from "./unknown-fields.ts";

/** What a resource of type heddle.routes.v1alpha1.Routing holds. */
export interface Routing {
  readonly kind: "routes";
  readonly routes: PortRoutes;
}

/**
 * Decodes the routes of a port. What this version does not know is refused as a whole: half a route may let through what the
 * whole holds back. What is returned can be compiled.
 * @returns what is wrong with the resource otherwise, to be sent back as a NACK
 */
export const decodeRouting = (name: string, bytes: Uint8Array): Result<Routing, string> => {
  let proto: ProtoRouting;
  try {
    proto = fromBinary(RoutingSchema, bytes);
  } catch (error) {
    return err(`not a heddle.routes.Routing: ${String(error)}`);
  }
  if (hasUnknownFields(proto)) return err("it has fields that this version does not know");
  if (proto.type.case === undefined) return err("it holds nothing");
  const problems: string[] = [];
  const routes = decodeRoutes(proto.type.value, problems);
  if (portKey(routes.service, routes.port) !== name) problems.push("service and port are not the resource's name");
  return problems.length > 0 ? err(formatProblems(problems)) : ok({ kind: "routes", routes });
};

/**
 * Stands for a resource that could not be read and had no readable version before: every request to the port is answered with
 * an error. Without it the Service would be served as one that has no routes.
 * @returns undefined for a name that names no port
 */
export const unreadableRouting = (name: string, reason: string): Routing | undefined => {
  const colon = name.lastIndexOf(":");
  const problems: string[] = [];
  const service = serviceNameOf(name.slice(0, colon), problems);
  const port = portNumber(Number(name.slice(colon + 1)), problems);
  if (problems.length > 0 || portKey(service, port) !== name) return undefined;
  const routes = [errorRoute(service.slice(0, service.indexOf("/")), reason)];
  return { kind: "routes", routes: { service, port, producer: { kind: "http", routes }, consumers: new Map() } };
};

const errorRoute = (namespace: string, reason: string): HttpRoute => ({
  namespace,
  name: "unreadable",
  createdMs: Infinity,
  rules: [
    {
      index: 0,
      name: undefined,
      matches: [{ path: { kind: "prefix", value: "/" }, method: undefined, headers: [], queryParams: [] }],
      filters: [{ kind: "unavailable", cause: "unsupported", reason: `the routes cannot be read: ${reason}` }],
      backends: [],
      timeouts: { requestMs: undefined, backendRequestMs: undefined },
      retry: undefined,
      sessionPersistence: undefined,
    },
  ],
});
