import * as fc from "fast-check";
import { expect, test } from "vitest";
import { unwrap } from "../result.ts";
import {
  type Fields,
  filterRule,
  gatewayObject,
  problemPaths,
  readHttpRoute,
  readHttpRule,
} from "../testing/route-yaml.ts";
import type { GrpcRouteObject } from "./grpc-route.ts";
import { readMeshObject } from "./mesh-object.ts";
import type { ReferenceGrantObject } from "./reference-grant.ts";

const grpcRoute = (spec: unknown): GrpcRouteObject =>
  unwrap(readMeshObject(gatewayObject("GRPCRoute", spec))) as GrpcRouteObject;

const backend = { name: "web", port: 80 };

test("defaults are those of the API server: parents, rules, matches, weights (section 1)", () => {
  const route = readHttpRoute({ parentRefs: [{ name: "gw" }, { group: "", kind: "Service", name: "web", port: 80 }] });
  expect(route.parents).toEqual([
    { group: "gateway.networking.k8s.io", kind: "Gateway", name: "gw" },
    { group: "", kind: "Service", name: "web", port: 80 },
  ]);
  expect(route.rules).toMatchObject([{ matches: [{ path: { kind: "prefix", value: "/" } }], backends: [] }]);
  const rule = readHttpRule({
    matches: [{ headers: [{ name: "Version", value: "one" }], queryParams: [{ name: "a", value: "b" }] }, {}],
    filters: [{ type: "RequestMirror", requestMirror: { backendRef: backend, fraction: { numerator: 5 } } }],
    backendRefs: [{ name: "web", port: 80 }],
  });
  expect(rule.matches).toMatchObject([
    {
      path: { kind: "prefix", value: "/" },
      headers: [{ kind: "exact", name: "version", value: "one" }],
      queryParams: [{ kind: "exact", name: "a", value: "b" }],
    },
    { path: { kind: "prefix", value: "/" }, headers: [], queryParams: [] },
  ]);
  expect(rule.backends).toMatchObject([{ weight: 1, target: { group: "", kind: "Service", name: "web", port: 80 } }]);
  expect(rule.filters).toMatchObject([{ share: { numerator: 5, denominator: 100 } }]);
  expect(readHttpRule(filterRule("RequestRedirect", {})).filters).toMatchObject([{ statusCode: 302 }]);
  expect(readHttpRule(filterRule("CORS", {})).filters).toMatchObject([{ maxAgeSeconds: 5, allowCredentials: false }]);
  expect(readHttpRule({ matches: [{ path: {} }, { path: { value: "/x" } }] }).matches).toMatchObject([
    { path: { kind: "prefix", value: "/" } },
    { path: { kind: "prefix", value: "/x" } },
  ]);
});

test("a GRPCRoute has no default rule; a rule without matches holds every call", () => {
  expect(grpcRoute({}).rules).toEqual([]);
  expect(grpcRoute({ rules: [{}] }).rules).toMatchObject([{ matches: [{ headers: [] }] }]);
  expect(grpcRoute({ rules: [{ matches: [{ method: { service: "a.B", method: "C" } }] }] }).rules).toMatchObject([
    { matches: [{ service: { kind: "exact", value: "a.B" }, method: { kind: "exact", value: "C" } }] },
  ]);
});

test("the generation is what a status speaks about; 0 where nobody counts", () => {
  const read = (metadata: Fields) => unwrap(readMeshObject(gatewayObject("HTTPRoute", {}, "v1beta1", metadata)));
  expect(read({ generation: 7 }).metadata).toMatchObject({ generation: 7 });
  expect(read({}).metadata).toMatchObject({ generation: 0 });
});

test("group core is taken, and repeated in parents as it was written", () => {
  const route = readHttpRoute({
    parentRefs: [{ group: "core", kind: "Service", name: "web" }],
    rules: [{ backendRefs: [{ group: "core", name: "web", port: 80 }] }],
  });
  expect(route.parents).toMatchObject([{ group: "core", kind: "Service" }]);
  expect(
    problemPaths(gatewayObject("HTTPRoute", { rules: [{ backendRefs: [{ group: "core", name: "web" }] }] })),
  ).toEqual(["spec.rules[0].backendRefs[0].port"]);
});

test("of two conditions on one header the first counts, in whatever case", () => {
  const headers = [
    { name: "X-A", value: "1" },
    { name: "x-a", value: "2" },
  ];
  expect(readHttpRule({ matches: [{ headers }] }).matches[0]?.headers).toEqual([
    { kind: "exact", name: "x-a", value: "1" },
  ]);
});

test("timeouts and retries are read as milliseconds and numbers; 0s is no timeout", () => {
  expect(
    readHttpRule({
      timeouts: { request: "0s", backendRequest: "1m30s" },
      retry: { codes: [500], attempts: 3, backoff: "100ms" },
    }),
  ).toMatchObject({
    timeouts: { requestMs: 0, backendRequestMs: 90_000 },
    retry: { codes: [500], attempts: 3, backoffMs: 100 },
  });
});

test.each<[string, Fields, "unsupportedMatches" | "unsupportedFilters", string]>([
  [
    "a path's type",
    { matches: [{ path: { type: "Glob", value: "a*" } }] },
    "unsupportedMatches",
    "matches[0].path.type",
  ],
  [
    "a header's type",
    { matches: [{ headers: [{ type: "Suffix", name: "a", value: "b" }] }] },
    "unsupportedMatches",
    "matches[0].headers[0].type",
  ],
  ["a method", { matches: [{ method: "QUERY" }] }, "unsupportedMatches", "matches[0].method"],
  [
    "a regular expression",
    { matches: [{ path: { type: "RegularExpression", value: "(" } }] },
    "unsupportedMatches",
    "matches[0].path.value",
  ],
  ["a filter's type", { filters: [{ type: "Compress", compress: {} }] }, "unsupportedFilters", "filters[0].type"],
  [
    "a status of redirects",
    filterRule("RequestRedirect", { statusCode: 300 }),
    "unsupportedFilters",
    "filters[0].requestRedirect.statusCode",
  ],
  [
    "a scheme",
    filterRule("RequestRedirect", { scheme: "ftp" }),
    "unsupportedFilters",
    "filters[0].requestRedirect.scheme",
  ],
  [
    "a path's modifier",
    filterRule("URLRewrite", { path: { type: "ReplaceRegex" } }),
    "unsupportedFilters",
    "filters[0].urlRewrite.path.type",
  ],
  [
    "a header of the framing",
    filterRule("RequestHeaderModifier", { remove: ["Content-Length"] }),
    "unsupportedFilters",
    "filters[0].requestHeaderModifier",
  ],
  [
    "a filter of a backend",
    { backendRefs: [{ ...backend, filters: [{ type: "X" }] }] },
    "unsupportedFilters",
    "backendRefs[0].filters[0].type",
  ],
  [
    "a path that is none",
    filterRule("URLRewrite", { path: { type: "ReplaceFullPath", replaceFullPath: "/a b" } }),
    "unsupportedFilters",
    "filters[0].urlRewrite.path.replaceFullPath",
  ],
])("what the mesh does not know is no mistake of the object, and said in its status: %s", (_, rule, where, path) => {
  expect(readHttpRule(rule)[where].map((problem) => problem.path)).toEqual([`spec.rules[0].${path}`]);
});

test("a filter that is not known, or leads nowhere, is never dropped", () => {
  const extension = { type: "ExtensionRef", extensionRef: { group: "x.y", kind: "Z", name: "a" } };
  const auth = { type: "ExternalAuth", externalAuth: { protocol: "GRPC", backendRef: backend } };
  const rule = readHttpRule({ filters: [{ type: "Compress" }, extension, auth, extension] });
  expect(rule.filters.map((each) => (each.kind === "unavailable" ? each.cause : each.kind))).toEqual([
    "unsupported",
    "unresolved",
    "unresolved",
    "unresolved",
  ]);
});

test("a GRPCRoute knows fewer filters, and names of gRPC only", () => {
  const [rule] = grpcRoute({ rules: [{ filters: [{ type: "URLRewrite", urlRewrite: {} }] }] }).rules;
  expect(rule?.unsupportedFilters.map(({ path }) => path)).toEqual(["spec.rules[0].filters[0].type"]);
  const problems = (method: Fields) => problemPaths(gatewayObject("GRPCRoute", { rules: [{ matches: [{ method }] }] }));
  expect(problems({})).toEqual(["spec.rules[0].matches[0].method"]);
  expect(problems({ service: "a/b" })).toEqual(["spec.rules[0].matches[0].method.service"]);
  expect(problems({ method: "a.b" })).toEqual(["spec.rules[0].matches[0].method.method"]);
  expect(problems({ type: "RegularExpression", service: "a.*" })).toEqual([]);
});

test("versions that are read: HTTPRoute v1 and v1beta1, GRPCRoute v1, ReferenceGrant v1 and v1beta1", () => {
  const grant = {
    from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "a" }],
    to: [{ group: "", kind: "Service" }],
  };
  expect(problemPaths(gatewayObject("HTTPRoute", {}, "v1beta1"))).toEqual([]);
  expect(problemPaths(gatewayObject("HTTPRoute", {}, "v1alpha2"))).toEqual(["apiVersion"]);
  expect(problemPaths(gatewayObject("GRPCRoute", {}, "v1alpha2"))).toEqual(["apiVersion"]);
  for (const version of ["v1", "v1beta1"]) {
    const read = unwrap(readMeshObject(gatewayObject("ReferenceGrant", grant, version))) as ReferenceGrantObject;
    expect([read.from, read.to]).toEqual([grant.from, [{ group: "", kind: "Service" }]]);
  }
  expect(problemPaths(gatewayObject("ReferenceGrant", { from: [], to: [{ group: "", kind: "Service" }] }))).toEqual([
    "spec.from",
  ]);
});

test.each([
  null,
  7,
  "x",
  [],
  [null],
  { rules: 7 },
  { rules: [null] },
  { rules: [{ filters: [7] }] },
  { rules: [{ matches: {} }] },
])("a spec of another shape is refused, and nothing breaks: %j", (spec) => {
  for (const kind of ["HTTPRoute", "GRPCRoute", "ReferenceGrant"]) {
    expect(readMeshObject(gatewayObject(kind, spec)).ok).toBe(false);
  }
});

const WORDS =
  "type name value path headers matches filters backendRefs rules parentRefs method requestMirror backendRef cors " +
  "requestRedirect urlRewrite service kind from to retry";
const words = fc.constantFrom(...WORDS.split(" "));
const values = fc.oneof(
  fc.constantFrom(
    "Exact",
    "RegularExpression",
    "CORS",
    "URLRewrite",
    "RequestMirror",
    "RequestRedirect",
    "(",
    "/",
    "*",
  ),
  fc.anything(),
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 8, withCrossShrink: true },
    values,
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(words, tie("tree"), { maxKeys: 5 }),
  ),
}));

test("whatever an object holds, it is read or refused with problems, and nothing is thrown", () => {
  fc.assert(
    fc.property(fc.constantFrom("HTTPRoute", "GRPCRoute", "ReferenceGrant"), tree, tree, (kind, rule, spec) => {
      for (const each of [spec, { rules: [rule] }, { rules: [{ matches: [rule], filters: [spec] }] }]) {
        const read = readMeshObject(gatewayObject(kind, each));
        expect(read.ok || read.error.length > 0).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});
