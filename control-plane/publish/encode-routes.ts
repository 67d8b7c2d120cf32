import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type BackendSchema,
  type MatchSchema,
  type PathMatchSchema,
  RouteKind,
  type RouteSchema,
  type RouteSetSchema,
  type RuleSchema,
  type TextMatchSchema,
  type ValueMatchSchema,
} from "#api/gen/heddle/routes/v1alpha1/port_routes_pb.js";
import { RoutingSchema } from "#api/gen/heddle/routes/v1alpha1/routing_pb.js";
import type {
  GrpcMatch,
  HttpMatch,
  PathMatch,
  PortRoutes,
  Route,
  RouteRule,
  RouteSet,
  TextMatch,
  ValueMatch,
  WeightedBackend,
} from "#mesh/routes/route.ts";
import { portKey } from "#mesh/routes/route-table.ts";
import { encodeFilter, encodeTarget } from "./encode-route-filter.ts";
import { encodeSessionPersistence } from "./encode-session-persistence.ts";
import { optionalInteger } from "./optional-integer.ts";
import { type Resource, resourceOf } from "./resource.ts";

/** The routes of a port as `heddle.routes.v1alpha1.Routing`. The same whatever the order in which namespaces came about. */
export const encodeRoutes = ({ service, port, producer, consumers }: PortRoutes): Resource => {
  const value = {
    service,
    port,
    producer: producer && encodeSet(producer),
    consumers: [...consumers]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([namespace, set]) => ({ namespace, routes: encodeSet(set) })),
  };
  const message = create(RoutingSchema, { type: { case: "routes", value } });
  return resourceOf(portKey(service, port), [], toBinary(RoutingSchema, message));
};

const encodeSet = (set: RouteSet): MessageInitShape<typeof RouteSetSchema> =>
  set.kind === "http"
    ? { kind: RouteKind.HTTP, routes: set.routes.map((route) => encodeRoute(route, encodeHttpMatch)) }
    : { kind: RouteKind.GRPC, routes: set.routes.map((route) => encodeRoute(route, encodeGrpcMatch)) };

type EncodeMatch<Match> = (match: Match) => MessageInitShape<typeof MatchSchema>;

const encodeRoute = <Match>(
  { namespace, name, createdMs, rules }: Route<Match>,
  match: EncodeMatch<Match>,
): MessageInitShape<typeof RouteSchema> => ({
  namespace,
  name,
  createdMs: Number.isFinite(createdMs) ? BigInt(createdMs) : undefined,
  rules: rules.map((rule) => encodeRule(rule, match)),
});

const encodeRule = <Match>(rule: RouteRule<Match>, match: EncodeMatch<Match>): MessageInitShape<typeof RuleSchema> => ({
  index: rule.index,
  name: rule.name,
  matches: rule.matches.map(match),
  filters: rule.filters.map(encodeFilter),
  backends: rule.backends.map(encodeBackend),
  requestTimeoutMs: optionalInteger(rule.timeouts.requestMs),
  backendRequestTimeoutMs: optionalInteger(rule.timeouts.backendRequestMs),
  retry: rule.retry && {
    codes: [...rule.retry.codes],
    attempts: rule.retry.attempts,
    backoffMs: optionalInteger(rule.retry.backoffMs),
  },
  sessionPersistence: rule.sessionPersistence && encodeSessionPersistence(rule.sessionPersistence),
});

const encodeBackend = ({ weight, filters, target }: WeightedBackend): MessageInitShape<typeof BackendSchema> => ({
  weight,
  filters: filters.map(encodeFilter),
  target: encodeTarget(target),
});

const encodeHttpMatch: EncodeMatch<HttpMatch> = ({ path, method, headers, queryParams }) => ({
  match: {
    case: "http",
    value: {
      path: encodePath(path),
      method,
      headers: headers.map(encodeValue),
      queryParams: queryParams.map(encodeValue),
    },
  },
});

const encodeGrpcMatch: EncodeMatch<GrpcMatch> = ({ service, method, headers }) => ({
  match: {
    case: "grpc",
    value: {
      service: service && encodeText(service),
      method: method && encodeText(method),
      headers: headers.map(encodeValue),
    },
  },
});

const encodePath = ({ kind, value }: PathMatch): MessageInitShape<typeof PathMatchSchema> => ({
  match: { case: kind, value },
});

const encodeText = ({ kind, value }: TextMatch): MessageInitShape<typeof TextMatchSchema> => ({
  match: { case: kind, value },
});

const encodeValue = ({ kind, name, value }: ValueMatch): MessageInitShape<typeof ValueMatchSchema> => ({
  name,
  value: encodeText({ kind, value }),
});
