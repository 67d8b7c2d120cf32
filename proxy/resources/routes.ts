import {
  type Backend,
  type GrpcMatch as ProtoGrpcMatch,
  type HttpMatch as ProtoHttpMatch,
  type Match as ProtoMatch,
  type PathMatch as ProtoPathMatch,
  type PortRoutes as ProtoPortRoutes,
  type Retry,
  type Route as ProtoRoute,
  RouteKind,
  type RouteSet as ProtoRouteSet,
  type Rule,
  type TextMatch as ProtoTextMatch,
  type ValueMatch as ProtoValueMatch,
} from "#api/gen/heddle/routes/v1alpha1/port_routes_pb.js";
import { compileRegex } from "#mesh/routes/linear-regex.ts";
import type {
  GrpcMatch,
  HttpMatch,
  PathMatch,
  PortRoutes,
  Route,
  RouteRetry,
  RouteRule,
  RouteSet,
  TextMatch,
  ValueMatch,
  WeightedBackend,
} from "#mesh/routes/route.ts";
import { headerName, line, optionalNumber, portNumber, serviceNameOf } from "./field-checks.ts";
import { decodeFilter, decodeTarget } from "./route-filter.ts";
import { decodeSessionPersistence } from "./session-persistence.ts";

/** Decodes the routes of a port. @param problems takes what is wrong with them; what is returned otherwise can be compiled */
export const decodeRoutes = (proto: ProtoPortRoutes, problems: string[]): PortRoutes => {
  const consumers = new Map(
    proto.consumers.map(({ namespace, routes }) => [line(namespace, problems), decodeSet(routes, problems)] as const),
  );
  if (consumers.size < proto.consumers.length) problems.push("a namespace is there twice");
  return {
    service: serviceNameOf(proto.service, problems),
    port: portNumber(proto.port, problems),
    producer: proto.producer && decodeSet(proto.producer, problems),
    consumers,
  };
};

const decodeSet = (proto: ProtoRouteSet | undefined, problems: string[]): RouteSet => {
  if (proto?.kind === RouteKind.HTTP) {
    return { kind: "http", routes: proto.routes.map((route) => decodeRoute(route, httpMatch, problems)) };
  }
  if (proto?.kind === RouteKind.GRPC) {
    return { kind: "grpc", routes: proto.routes.map((route) => decodeRoute(route, grpcMatch, problems)) };
  }
  problems.push("routes of unknown kind");
  return { kind: "http", routes: [] };
};

type DecodeMatch<Match> = (proto: ProtoMatch, problems: string[]) => Match;

const decodeRoute = <Match>(proto: ProtoRoute, match: DecodeMatch<Match>, problems: string[]): Route<Match> => ({
  namespace: line(proto.namespace, problems),
  name: line(proto.name, problems),
  createdMs: optionalNumber(proto.createdMs, problems) ?? Infinity,
  rules: proto.rules.map((rule) => decodeRule(rule, match, problems)),
});

const decodeRule = <Match>(proto: Rule, match: DecodeMatch<Match>, problems: string[]): RouteRule<Match> => ({
  index: proto.index,
  name: proto.name === undefined ? undefined : line(proto.name, problems),
  matches: proto.matches.map((each) => match(each, problems)),
  filters: proto.filters.map((filter) => decodeFilter(filter, problems)),
  backends: proto.backends.map((backend) => decodeBackend(backend, problems)),
  timeouts: {
    requestMs: optionalNumber(proto.requestTimeoutMs, problems),
    backendRequestMs: optionalNumber(proto.backendRequestTimeoutMs, problems),
  },
  retry: proto.retry && decodeRetry(proto.retry, problems),
  sessionPersistence: proto.sessionPersistence && decodeSessionPersistence(proto.sessionPersistence, problems),
});

const decodeBackend = ({ weight, filters, target }: Backend, problems: string[]): WeightedBackend => ({
  weight,
  filters: filters.map((filter) => decodeFilter(filter, problems)),
  target: decodeTarget(target, problems),
});

const decodeRetry = ({ codes, attempts, backoffMs }: Retry, problems: string[]): RouteRetry => ({
  codes,
  attempts,
  backoffMs: optionalNumber(backoffMs, problems),
});

const httpMatch: DecodeMatch<HttpMatch> = ({ match }, problems) => {
  if (match.case === "http") return decodeHttpMatch(match.value, problems);
  problems.push("a match among those of HTTP is of another kind");
  return { path: { kind: "prefix", value: "/" }, method: undefined, headers: [], queryParams: [] };
};

const decodeHttpMatch = ({ path, method, headers, queryParams }: ProtoHttpMatch, problems: string[]): HttpMatch => ({
  path: decodePath(path, problems),
  method: method === undefined ? undefined : line(method, problems),
  headers: headers.map((each) => decodeHeader(each, problems)),
  queryParams: queryParams.map((each) => decodeValue(each, problems)),
});

const grpcMatch: DecodeMatch<GrpcMatch> = ({ match }, problems) => {
  if (match.case === "grpc") return decodeGrpcMatch(match.value, problems);
  problems.push("a match among those of gRPC is of another kind");
  return { service: undefined, method: undefined, headers: [] };
};

const decodeGrpcMatch = ({ service, method, headers }: ProtoGrpcMatch, problems: string[]): GrpcMatch => ({
  service: service && decodeText(service, problems),
  method: method && decodeText(method, problems),
  headers: headers.map((each) => decodeHeader(each, problems)),
});

const decodePath = (proto: ProtoPathMatch | undefined, problems: string[]): PathMatch => {
  const match = proto?.match;
  if (match?.case === "prefix") return { kind: "prefix", value: line(match.value, problems) };
  return decodeText(match && { match }, problems);
};

const decodeHeader = (proto: ProtoValueMatch, problems: string[]): ValueMatch => {
  headerName(proto.name, problems);
  return decodeValue(proto, problems);
};

const decodeValue = ({ name, value }: ProtoValueMatch, problems: string[]): ValueMatch => ({
  name: line(name, problems),
  ...decodeText(value, problems),
});

const decodeText = (proto: Pick<ProtoTextMatch, "match"> | undefined, problems: string[]): TextMatch => {
  const match = proto?.match;
  if (match?.case === undefined) {
    problems.push("a match of unknown kind");
    return { kind: "exact", value: "" };
  }
  const regex = match.case === "regex" ? compileRegex(match.value) : undefined;
  if (regex && !regex.ok) problems.push(regex.error);
  return { kind: match.case, value: line(match.value, problems) };
};
