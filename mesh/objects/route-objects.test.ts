import * as fc from "fast-check";
import { expect, test } from "vitest";
import { unwrap } from "../result.ts";
import type { GrpcRouteObject } from "./grpc-route.ts";
import type { HttpRouteObject } from "./http-route.ts";
import { readMeshObject } from "./mesh-object.ts";
import type { ReferenceGrantObject } from "./reference-grant.ts";

type Fields = Readonly<Record<string, unknown>>;

const object = (kind: string, spec: unknown, version = "v1", metadata: Fields = {}): unknown => ({
  apiVersion: `gateway.networking.k8s.io/${version}`,
  kind,
  metadata: { name: "web", namespace: "shop", ...metadata },
  spec,
});

const httpRoute = (spec: unknown): HttpRouteObject =>
  unwrap(readMeshObject(object("HTTPRoute", spec))) as HttpRouteObject;
const grpcRoute = (spec: unknown): GrpcRouteObject =>
  unwrap(readMeshObject(object("GRPCRoute", spec))) as GrpcRouteObject;

const pathsOf = (value: unknown): readonly string[] => {
  const read = readMeshObject(value);
  return read.ok ? [] : read.error.map(({ path }) => path);
};

/** Paths of problems of an HTTPRoute with this one rule. */
const ruleProblems = (rule: Fields): readonly string[] =>
  pathsOf(object("HTTPRoute", { rules: [rule] })).map((path) => path.replace("spec.rules[0].", ""));

const ruleOf = (rule: Fields) => {
  const [read] = httpRoute({ rules: [rule] }).rules;
  if (!read) throw new Error("a route with a rule has one");
  return read;
};

const filter = (type: string, member: Fields): Fields => ({
  filters: [{ type, [type.replace(/^[A-Z]+(?=[A-Z][a-z]|$)|^[A-Z]/, (start) => start.toLowerCase())]: member }],
});

const backend = { name: "web", port: 80 };

test("defaults are those of the API server: parents, rules, matches, weights (section 1)", () => {
  const route = httpRoute({ parentRefs: [{ name: "gw" }, { group: "", kind: "Service", name: "web", port: 80 }] });
  expect(route.parents).toEqual([
    { group: "gateway.networking.k8s.io", kind: "Gateway", name: "gw" },
    { group: "", kind: "Service", name: "web", port: 80 },
  ]);
  expect(route.rules).toMatchObject([{ matches: [{ path: { kind: "prefix", value: "/" } }], backends: [] }]);
  const rule = ruleOf({
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
  expect(ruleOf(filter("RequestRedirect", {})).filters).toMatchObject([{ statusCode: 302 }]);
  expect(ruleOf(filter("CORS", {})).filters).toMatchObject([{ maxAgeSeconds: 5, allowCredentials: false }]);
  expect(ruleOf({ matches: [{ path: {} }, { path: { value: "/x" } }] }).matches).toMatchObject([
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
  const read = (metadata: Fields) => unwrap(readMeshObject(object("HTTPRoute", {}, "v1beta1", metadata)));
  expect(read({ generation: 7 }).metadata).toMatchObject({ generation: 7 });
  expect(read({}).metadata).toMatchObject({ generation: 0 });
});

test("group core is taken, and repeated in parents as it was written", () => {
  const route = httpRoute({
    parentRefs: [{ group: "core", kind: "Service", name: "web" }],
    rules: [{ backendRefs: [{ group: "core", name: "web", port: 80 }] }],
  });
  expect(route.parents).toMatchObject([{ group: "core", kind: "Service" }]);
  expect(pathsOf(object("HTTPRoute", { rules: [{ backendRefs: [{ group: "core", name: "web" }] }] }))).toEqual([
    "spec.rules[0].backendRefs[0].port",
  ]);
});

test("of two conditions on one header the first counts, in whatever case", () => {
  const headers = [
    { name: "X-A", value: "1" },
    { name: "x-a", value: "2" },
  ];
  expect(ruleOf({ matches: [{ headers }] }).matches[0]?.headers).toEqual([{ kind: "exact", name: "x-a", value: "1" }]);
});

const many = <Item>(count: number, item: Item): readonly Item[] => Array.from({ length: count }, () => item);

test.each<[string, unknown, string]>([
  ["33 parents", { parentRefs: many(33, { name: "a" }) }, "spec.parentRefs"],
  ["17 hostnames", { hostnames: many(17, "a.b") }, "spec.hostnames"],
  ["17 rules", { rules: many(17, {}) }, "spec.rules"],
  ["no rule in a list", { rules: [] }, "spec.rules"],
  ["65 matches in a rule", { rules: [{ matches: many(65, {}) }] }, "spec.rules[0].matches"],
  ["129 matches in all", { rules: many(3, { matches: many(43, {}) }) }, "spec.rules"],
  [
    "17 headers",
    { rules: [{ matches: [{ headers: many(17, { name: "a", value: "b" }) }] }] },
    "spec.rules[0].matches[0].headers",
  ],
  ["17 filters", { rules: [{ filters: many(17, { type: "RequestMirror" }) }] }, "spec.rules[0].filters"],
  ["17 backends", { rules: [{ backendRefs: many(17, backend) }] }, "spec.rules[0].backendRefs"],
  ["a name of two rules", { rules: many(2, { name: "a" }) }, "spec.rules[1].name"],
  ["a parent's port", { parentRefs: [{ name: "a", port: 65536 }] }, "spec.parentRefs[0].port"],
  ["a hostname", { hostnames: ["a.*.b"] }, "spec.hostnames[0]"],
  ["a field that is misspelt", { rules: [{ match: [] }] }, "spec.rules[0].match"],
])("limits of section 1.1: %s", (_, spec, path) => {
  expect(pathsOf(object("HTTPRoute", spec))).toEqual([path]);
});

test.each<[string, Fields, string]>([
  ["a path without /", { matches: [{ path: { value: "a" } }] }, "matches[0].path.value"],
  ["//", { matches: [{ path: { value: "/a//b" } }] }, "matches[0].path.value"],
  ["/./", { matches: [{ path: { type: "Exact", value: "/a/./b" } }] }, "matches[0].path.value"],
  ["/../", { matches: [{ path: { value: "/a/../b" } }] }, "matches[0].path.value"],
  ["/..", { matches: [{ path: { value: "/a/.." } }] }, "matches[0].path.value"],
  ["/.", { matches: [{ path: { value: "/a/." } }] }, "matches[0].path.value"],
  ["%2f", { matches: [{ path: { value: "/a%2fb" } }] }, "matches[0].path.value"],
  ["%2F", { matches: [{ path: { value: "/a%2Fb" } }] }, "matches[0].path.value"],
  ["#", { matches: [{ path: { value: "/a#b" } }] }, "matches[0].path.value"],
  ["a space", { matches: [{ path: { value: "/a b" } }] }, "matches[0].path.value"],
  ["a long path", { matches: [{ path: { value: `/${"a".repeat(1_024)}` } }] }, "matches[0].path.value"],
  ["a header's name", { matches: [{ headers: [{ name: "a:b", value: "c" }] }] }, "matches[0].headers[0].name"],
  ["an empty value", { matches: [{ headers: [{ name: "a", value: "" }] }] }, "matches[0].headers[0].value"],
  [
    "a long value",
    { matches: [{ queryParams: [{ name: "a", value: "b".repeat(1_025) }] }] },
    "matches[0].queryParams[0].value",
  ],
  ["a negative weight", { backendRefs: [{ ...backend, weight: -1 }] }, "backendRefs[0].weight"],
  ["a weight above a million", { backendRefs: [{ ...backend, weight: 1_000_001 }] }, "backendRefs[0].weight"],
  ["a Service without a port", { backendRefs: [{ name: "web" }] }, "backendRefs[0].port"],
  ["a backend without a name", { backendRefs: [{ port: 80 }] }, "backendRefs[0].name"],
  ["a redirect with backends", { ...filter("RequestRedirect", {}), backendRefs: [backend] }, "backendRefs"],
  [
    "a redirect with a rewrite",
    {
      filters: [
        { type: "RequestRedirect", requestRedirect: {} },
        { type: "URLRewrite", urlRewrite: {} },
      ],
    },
    "filters",
  ],
  ["two redirects", { filters: many(2, { type: "RequestRedirect", requestRedirect: {} }) }, "filters[1].type"],
  [
    "two modifiers",
    { filters: many(2, { type: "RequestHeaderModifier", requestHeaderModifier: {} }) },
    "filters[1].type",
  ],
  ["the member of another type", { filters: [{ type: "CORS", cors: {}, urlRewrite: {} }] }, "filters[0].urlRewrite"],
  ["no member", { filters: [{ type: "CORS" }] }, "filters[0].cors"],
  ["no type", { filters: [{ cors: {} }] }, "filters[0].type"],
  [
    "two actions for a header",
    filter("RequestHeaderModifier", { set: [{ name: "A", value: "b" }], remove: ["a"] }),
    "filters[0].requestHeaderModifier",
  ],
  [
    "a line end in a value",
    filter("ResponseHeaderModifier", { set: [{ name: "a", value: "b\r\nc: d" }] }),
    "filters[0].responseHeaderModifier.set[0].value",
  ],
  [
    "percent and fraction",
    filter("RequestMirror", { backendRef: backend, percent: 1, fraction: { numerator: 1 } }),
    "filters[0].requestMirror",
  ],
  [
    "a fraction above 1",
    filter("RequestMirror", { backendRef: backend, fraction: { numerator: 101 } }),
    "filters[0].requestMirror.fraction",
  ],
  [
    "a percentage above 100",
    filter("RequestMirror", { backendRef: backend, percent: 101 }),
    "filters[0].requestMirror.percent",
  ],
  ["* beside others", filter("CORS", { allowOrigins: ["*", "https://a.b"] }), "filters[0].cors.allowOrigins"],
  ["no origin", filter("CORS", { allowOrigins: ["a.b"] }), "filters[0].cors.allowOrigins[0]"],
  ["a maximal age of 0", filter("CORS", { maxAge: 0 }), "filters[0].cors.maxAge"],
  ["a wildcard to redirect to", filter("RequestRedirect", { hostname: "*.a" }), "filters[0].requestRedirect.hostname"],
  [
    "a modifier without its path",
    filter("URLRewrite", { path: { type: "ReplaceFullPath" } }),
    "filters[0].urlRewrite.path.replaceFullPath",
  ],
  ["a duration", { timeouts: { request: "1.5s" } }, "timeouts.request"],
  ["an attempt longer than all", { timeouts: { request: "1s", backendRequest: "2s" } }, "timeouts.backendRequest"],
  ["a code twice", { retry: { codes: [500, 500] } }, "retry.codes"],
  ["a code below 400", { retry: { codes: [399] } }, "retry.codes[0]"],
  ["no attempt", { retry: { attempts: 0 } }, "retry.attempts"],
])("refused with its path: %s", (_, rule, path) => {
  expect(ruleProblems(rule)).toEqual([path]);
});

test.each<[string, Fields[] | undefined, boolean]>([
  ["no match, which is the prefix /", undefined, true],
  ["one prefix", [{ path: { value: "/a" } }], true],
  ["an exact path", [{ path: { type: "Exact", value: "/a" } }], false],
  ["two prefixes", [{ path: { value: "/a" } }, { path: { value: "/b" } }], false],
])("ReplacePrefixMatch needs exactly one PathPrefix match: %s", (_, matches, isAllowed) => {
  const path = { type: "ReplacePrefixMatch", replacePrefixMatch: "/x" };
  for (const [type, member] of [
    ["URLRewrite", "urlRewrite"],
    ["RequestRedirect", "requestRedirect"],
  ] as const) {
    const rule = { ...(matches ? { matches } : {}), filters: [{ type, [member]: { path } }] };
    expect(ruleProblems(rule)).toEqual(isAllowed ? [] : ["filters[0]"]);
  }
});

test("timeouts and retries are read as milliseconds and numbers; 0s is no timeout", () => {
  expect(
    ruleOf({
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
    filter("RequestRedirect", { statusCode: 300 }),
    "unsupportedFilters",
    "filters[0].requestRedirect.statusCode",
  ],
  ["a scheme", filter("RequestRedirect", { scheme: "ftp" }), "unsupportedFilters", "filters[0].requestRedirect.scheme"],
  [
    "a path's modifier",
    filter("URLRewrite", { path: { type: "ReplaceRegex" } }),
    "unsupportedFilters",
    "filters[0].urlRewrite.path.type",
  ],
  [
    "a header of the framing",
    filter("RequestHeaderModifier", { remove: ["Content-Length"] }),
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
    filter("URLRewrite", { path: { type: "ReplaceFullPath", replaceFullPath: "/a b" } }),
    "unsupportedFilters",
    "filters[0].urlRewrite.path.replaceFullPath",
  ],
])("what the mesh does not know is no mistake of the object, and said in its status: %s", (_, rule, where, path) => {
  expect(ruleOf(rule)[where].map((problem) => problem.path)).toEqual([`spec.rules[0].${path}`]);
});

test("a filter that is not known, or leads nowhere, is never dropped", () => {
  const extension = { type: "ExtensionRef", extensionRef: { group: "x.y", kind: "Z", name: "a" } };
  const auth = { type: "ExternalAuth", externalAuth: { protocol: "GRPC", backendRef: backend } };
  const rule = ruleOf({ filters: [{ type: "Compress" }, extension, auth, extension] });
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
  const problems = (method: Fields) => pathsOf(object("GRPCRoute", { rules: [{ matches: [{ method }] }] }));
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
  expect(pathsOf(object("HTTPRoute", {}, "v1beta1"))).toEqual([]);
  expect(pathsOf(object("HTTPRoute", {}, "v1alpha2"))).toEqual(["apiVersion"]);
  expect(pathsOf(object("GRPCRoute", {}, "v1alpha2"))).toEqual(["apiVersion"]);
  for (const version of ["v1", "v1beta1"]) {
    const read = unwrap(readMeshObject(object("ReferenceGrant", grant, version))) as ReferenceGrantObject;
    expect([read.from, read.to]).toEqual([grant.from, [{ group: "", kind: "Service" }]]);
  }
  expect(pathsOf(object("ReferenceGrant", { from: [], to: [{ group: "", kind: "Service" }] }))).toEqual(["spec.from"]);
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
    expect(readMeshObject(object(kind, spec)).ok).toBe(false);
  }
});

const words = fc.constantFrom(
  ...["type", "name", "value", "path", "headers", "matches", "filters", "backendRefs", "rules", "parentRefs", "method"],
  ...["requestMirror", "backendRef", "cors", "requestRedirect", "urlRewrite", "service", "kind", "from", "to", "retry"],
);
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
        const read = readMeshObject(object(kind, each));
        expect(read.ok || read.error.length > 0).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});
