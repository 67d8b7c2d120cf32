import type { RouteCondition, RouteParentStatus } from "#mesh/admin/control-plane-status.ts";
import { isService, type ParentReference } from "#mesh/objects/gateway-reference.ts";
import { parentPorts, type ServiceAttachments } from "./route-attachments.ts";
import type { ObjectTables } from "./object-tables.ts";
import { referencedService, type RouteObject } from "./route-references.ts";
import { type ResolveBackend, routeValidity, unresolvedReferences } from "./route-rules.ts";

/** Who writes an entry of `status.parents`; those of others are not touched. */
export const CONTROLLER_NAME = "heddle.dev/mesh-controller";

type ConditionBody = Omit<RouteCondition, "observedGeneration">;

/**
 * What became of a route: an entry for each Service that it names as parent. Parents of other kinds are others' to speak of.
 * @param attachments of a Service, by its key
 */
export const routeStatus = (
  tables: ObjectTables,
  route: RouteObject,
  attachments: (service: string) => ServiceAttachments,
  resolve: ResolveBackend,
): readonly RouteParentStatus[] => {
  const resolved = resolvedRefs(route, resolve);
  return route.parents.filter(isService).map((parent) => {
    const accepted = acceptance(tables, route, parent, attachments);
    const isPartly = accepted.status === "True" ? partiallyInvalid(route) : [];
    const conditions = [accepted, resolved, ...isPartly];
    return {
      parentRef: parent,
      controllerName: CONTROLLER_NAME,
      conditions: conditions.map((condition) => ({ ...condition, observedGeneration: route.metadata.generation })),
    };
  });
};

const acceptance = (
  tables: ObjectTables,
  route: RouteObject,
  parent: ParentReference,
  attachments: (service: string) => ServiceAttachments,
): ConditionBody => {
  const ports = parentPorts(tables, route, parent);
  if (!ports.ok) return notAccepted("NoMatchingParent", ports.error);
  const { dropped, refusing, isUsable } = routeValidity(route);
  if (!isUsable) {
    const [first] = [...dropped, ...refusing];
    return notAccepted("UnsupportedValue", `none of its rules can be applied: ${first?.path}: ${first?.message}`);
  }
  const at = attachments(referencedService(route, parent));
  const lost = ports.value.filter((port) => hasGrpcRoute(at, port, route));
  if (lost.length === ports.value.length) {
    return notAccepted("Conflicted", `a GRPCRoute of namespace ${route.metadata.namespace} holds ${portsText(lost)}`);
  }
  const except = lost.length === 0 ? "" : `, except on ${portsText(lost)}, which a GRPCRoute holds`;
  return { type: "Accepted", status: "True", reason: "Accepted", message: `the route is accepted${except}` };
};

/** Of routes of several kinds the GRPCRoutes stay (GEP-1294). */
const hasGrpcRoute = (attachments: ServiceAttachments, port: number, { kind, metadata }: RouteObject): boolean =>
  kind === "HTTPRoute" && (attachments.get(port)?.get(metadata.namespace)?.grpc.length ?? 0) > 0;

const notAccepted = (reason: string, message: string): ConditionBody => ({
  type: "Accepted",
  status: "False",
  reason,
  message,
});

const resolvedRefs = (route: RouteObject, resolve: ResolveBackend): ConditionBody => {
  const unresolved = unresolvedReferences(route, resolve);
  const [first] = unresolved;
  if (!first) {
    return { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message: "all references lead somewhere" };
  }
  const messages = [...new Set(unresolved.map(({ message }) => message))];
  return { type: "ResolvedRefs", status: "False", reason: first.reason, message: shortList(messages) };
};

const partiallyInvalid = (route: RouteObject): readonly ConditionBody[] => {
  const { dropped, refusing } = routeValidity(route);
  const messages = [
    ...dropped.map(({ path, message }) => `${path}: ${message}`),
    ...refusing.map(({ path, message }) => `${path}: ${message} (requests that it is for are answered with 500)`),
  ];
  if (messages.length === 0) return [];
  return [
    {
      type: "PartiallyInvalid",
      status: "True",
      reason: "UnsupportedValue",
      message: `Dropped Rule${messages.length > 1 ? "s" : ""}: ${shortList(messages)}`,
    },
  ];
};

const portsText = (ports: readonly number[]): string => `port${ports.length > 1 ? "s" : ""} ${ports.join(", ")}`;

const MAX_MESSAGES = 5;

/** A condition's message has at most 32 KiB: a few name what is to be done. */
const shortList = (messages: readonly string[]): string =>
  messages.length <= MAX_MESSAGES
    ? messages.join("; ")
    : `${messages.slice(0, MAX_MESSAGES).join("; ")}; and ${messages.length - MAX_MESSAGES} more`;
