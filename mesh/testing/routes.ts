import type { BackendReference } from "../objects/gateway-reference.ts";
import type { GrpcRouteObject } from "../objects/grpc-route.ts";
import type { HttpRouteObject } from "../objects/http-route.ts";
import { readMeshObject } from "../objects/mesh-object.ts";
import { unwrap } from "../result.ts";
import type { Field } from "../routes/field.ts";
import type { RequestFacts } from "../routes/request-facts.ts";
import type { BackendTarget, GrpcRoute, HttpRoute, Route, RouteFilter, RouteRule } from "../routes/route.ts";

type Fields = Readonly<Record<string, unknown>>;

interface RouteFields {
  readonly rules: readonly Fields[];
  readonly namespace?: string;
  readonly name?: string;
  readonly createdMs?: number;
}

/** An HTTPRoute as a proxy has it, from the rules of its YAML. Backends named `missing` lead nowhere. */
export const httpRoute = (fields: RouteFields): HttpRoute =>
  route(fields, (read("HTTPRoute", fields) as HttpRouteObject).rules);

/** The same of a GRPCRoute. */
export const grpcRoute = (fields: RouteFields): GrpcRoute =>
  route(fields, (read("GRPCRoute", fields) as GrpcRouteObject).rules);

const read = (kind: string, { rules }: RouteFields) =>
  unwrap(
    readMeshObject({ apiVersion: "gateway.networking.k8s.io/v1", kind, metadata: { name: "x" }, spec: { rules } }),
  );

const route = <Match>(fields: RouteFields, rules: readonly RouteRule<Match, BackendReference>[]): Route<Match> => ({
  namespace: fields.namespace ?? "shop",
  name: fields.name ?? "web",
  createdMs: fields.createdMs ?? Infinity,
  rules: rules.map(({ index, name, matches, timeouts, retry, sessionPersistence, ...rule }) => ({
    index,
    name,
    matches,
    timeouts,
    retry,
    sessionPersistence,
    filters: rule.filters.map(filter),
    backends: rule.backends.map((backend) => ({
      weight: backend.weight,
      filters: backend.filters.map(filter),
      target: target(backend.target),
    })),
  })),
});

const filter = (from: RouteFilter<BackendReference>): RouteFilter =>
  from.kind === "request-mirror" ? { ...from, target: target(from.target) } : from;

const target = ({ name, port }: BackendReference): BackendTarget =>
  name === "missing"
    ? { kind: "invalid", reason: "Service shop/missing is not there" }
    : { kind: "service", service: `shop/${name}`, port: port ?? 0 };

/** Header fields from pairs of name and value. */
export const fieldList = (...pairs: readonly (readonly [string, string])[]): readonly Field[] =>
  pairs.map(([name, value]) => ({ name, value, isNeverIndexed: false }));

/** A GET from namespace `client` to Service shop/echo, port 80. */
export const requestFacts = (target: string, more: Partial<RequestFacts> = {}): RequestFacts => ({
  method: "GET",
  scheme: "http",
  authority: "echo",
  target,
  fields: [],
  sourceNamespace: "client",
  service: "shop/echo",
  port: 80,
  ...more,
});
