import { unwrap } from "../result.ts";
import type { HttpRouteObject, HttpRuleObject } from "../objects/http-route.ts";
import { readMeshObject } from "../objects/mesh-object.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** An object of Gateway API as it is written, called shop/web. */
export const gatewayObject = (kind: string, spec: unknown, version = "v1", metadata: Fields = {}): unknown => ({
  apiVersion: `gateway.networking.k8s.io/${version}`,
  kind,
  metadata: { name: "web", namespace: "shop", ...metadata },
  spec,
});

/** Paths of what is wrong with an object. */
export const problemPaths = (value: unknown): readonly string[] => {
  const read = readMeshObject(value);
  return read.ok ? [] : read.error.map(({ path }) => path);
};

/** Reads an HTTPRoute that is in order. */
export const readHttpRoute = (spec: unknown): HttpRouteObject =>
  unwrap(readMeshObject(gatewayObject("HTTPRoute", spec))) as HttpRouteObject;

/** Reads a rule of an HTTPRoute that is in order. */
export const readHttpRule = (rule: Fields): HttpRuleObject => {
  const [read] = readHttpRoute({ rules: [rule] }).rules;
  if (!read) throw new Error("a route with a rule has one");
  return read;
};

/** A rule with one filter of this type. */
export const filterRule = (type: string, member: Fields): Fields => ({
  filters: [{ type, [type.replace(/^[A-Z]+(?=[A-Z][a-z]|$)|^[A-Z]/, (start) => start.toLowerCase())]: member }],
});
