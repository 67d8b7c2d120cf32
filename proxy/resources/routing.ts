import { fromBinary } from "@bufbuild/protobuf";
import { type Routing as ProtoRouting, RoutingSchema } from "#api/gen/heddle/routes/v1alpha1/routing_pb.js";
import { err, ok, type Result } from "#mesh/result.ts";
import type { BackendPolicy } from "#mesh/routes/backend-policy.ts";
import type { HttpRoute, PortRoutes } from "#mesh/routes/route.ts";
import { portKey } from "#mesh/routes/route-table.ts";
import type { ServiceName } from "#mesh/service.ts";
import { decodeBackendPolicy } from "./backend-policy.ts";
import { formatProblems, portNumber, serviceNameOf } from "./field-checks.ts";
import { decodeRoutes } from "./routes.ts";
import { hasUnknownFields } from "./unknown-fields.ts";

/** What a resource of type heddle.routes.v1alpha1.Routing holds. */
export type Routing =
  | { readonly kind: "routes"; readonly routes: PortRoutes }
  | { readonly kind: "backend-policy"; readonly policy: BackendPolicy };

/**
 * Decodes the routes of a port, or the policy of a Service. What this version does not know is refused as a whole: half a route may let through what the
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
  const routing = decodeType(proto.type, problems);
  if (routingName(routing) !== name) problems.push("what it is about is not the resource's name");
  return problems.length > 0 ? err(formatProblems(problems)) : ok(routing);
};

const decodeType = (type: ProtoRouting["type"] & { readonly value: object }, problems: string[]): Routing =>
  type.case === "routes"
    ? { kind: "routes", routes: decodeRoutes(type.value, problems) }
    : { kind: "backend-policy", policy: decodeBackendPolicy(type.value, problems) };

const routingName = (routing: Routing): string =>
  routing.kind === "routes" ? portKey(routing.routes.service, routing.routes.port) : routing.policy.service;

/**
 * Stands for a resource that could not be read and had no readable version before: every request to the port is answered with
 * an error, or every one that would leave the mesh in clear. Without it the Service would be served as one that has no routes
 * and no policy.
 * @returns undefined for a name that is neither a port's nor a Service's
 */
export const unreadableRouting = (name: string, reason: string): Routing | undefined => {
  const problems: string[] = [];
  serviceNameOf(name, problems);
  if (problems.length > 0) return undefined;
  const colon = name.lastIndexOf(":");
  if (colon < 0) return { kind: "backend-policy", policy: unreadablePolicy(name as ServiceName, reason) };
  const service = serviceNameOf(name.slice(0, colon), problems);
  const port = portNumber(Number(name.slice(colon + 1)), problems);
  if (problems.length > 0 || portKey(service, port) !== name) return undefined;
  const routes = [errorRoute(service.slice(0, service.indexOf("/")), reason)];
  return { kind: "routes", routes: { service, port, producer: { kind: "http", routes }, consumers: new Map() } };
};

const unreadablePolicy = (service: ServiceName, unreadable: string): BackendPolicy => ({
  service,
  retryConstraint: undefined,
  sessionPersistence: undefined,
  tls: new Map(),
  unreadable,
});

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
