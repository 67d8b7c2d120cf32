import { expect, test } from "vitest";
import { fieldList, grpcRoute, httpRoute, requestFacts } from "../testing/routes.ts";
import { decideHttpRoute, type RouteDecision } from "./decide-http-route.ts";
import { explainHttpRoute } from "./explain-http-route.ts";
import type { RequestFacts } from "./request-facts.ts";
import type { PortRoutes, RouteSet } from "./route.ts";
import { compileTable, type RouteTable } from "./route-table.ts";

type Fields = Readonly<Record<string, unknown>>;

const http = (...rules: readonly Fields[]): RouteSet => ({ kind: "http", routes: [httpRoute({ rules })] });
const grpc = (...rules: readonly Fields[]): RouteSet => ({ kind: "grpc", routes: [grpcRoute({ rules })] });

const tableOf = (producer: RouteSet | undefined, more: Partial<PortRoutes> = {}): RouteTable =>
  compileTable([{ service: "shop/echo", port: 80, producer, consumers: new Map(), ...more }]);

const decide = (producer: RouteSet, target: string, more: Partial<RequestFacts> = {}, random = 0): RouteDecision =>
  decideHttpRoute(tableOf(producer), requestFacts(target, more), () => random);

/** The name of the backend that gets a request, or the kind of decision and its status. */
const outcome = (decision: RouteDecision): string => {
  if (decision.kind === "forward") return decision.backend.service.replace("shop/", "");
  return "status" in decision ? `${decision.kind} ${decision.status}` : decision.kind;
};

const to = (name: string, weight = 1): Fields => ({ name, port: 80, weight });
const path = (value: string, type = "PathPrefix"): Fields => ({ path: { type, value } });
const header = (name: string, value: string): Fields => ({ headers: [{ name, value }] });
const query = (name: string, value: string): Fields => ({ queryParams: [{ name, value }] });
const withHeaders = (...pairs: readonly (readonly [string, string])[]): Partial<RequestFacts> => ({
  fields: fieldList(...pairs),
});
const version = (value: string) => withHeaders(["Version", value]);
const GRPC = withHeaders(["Content-Type", "application/grpc+proto"]);

// The rules of MeshHTTPRouteMatching (facts: conformance test 9).
const matching = http(
  { matches: [path("/"), header("version", "one")], backendRefs: [to("v1")] },
  { matches: [path("/v2"), header("version", "two")], backendRefs: [to("v2")] },
);

test.each<[string, Partial<RequestFacts>, string]>([
  ["/", {}, "v1"],
  ["/example", {}, "v1"],
  ["/", version("one"), "v1"],
  ["/v2example", {}, "v1"],
  ["/foo/v2/example", {}, "v1"],
  ["/v2", {}, "v2"],
  ["/v2/", {}, "v2"],
  ["/v2/example", {}, "v2"],
  ["/", version("two"), "v2"],
])("MeshHTTPRouteMatching: %s %j goes to %s", (target, more, expected) => {
  expect(outcome(decide(matching, target, more))).toBe(expected);
});

// The rules of MeshHTTPRouteQueryParamMatching (conformance test 10).
const queries = http(
  { matches: [query("animal", "whale")], backendRefs: [to("v1")] },
  { matches: [query("animal", "dolphin")], backendRefs: [to("v2")] },
  { matches: [{ ...path("/path1"), ...query("animal", "whale") }], backendRefs: [to("v1")] },
  { matches: [{ ...header("version", "one"), ...query("animal", "whale") }], backendRefs: [to("v2")] },
  {
    matches: [
      { ...path("/path3"), ...query("animal", "shark") },
      { ...path("/path4"), ...header("version", "three"), ...query("animal", "kraken") },
    ],
    backendRefs: [to("v1")],
  },
  { matches: [path("/path5")], backendRefs: [to("v1")] },
  { matches: [query("animal", "hydra")], backendRefs: [to("v2")] },
);

test.each<[string, Partial<RequestFacts>, string]>([
  ["/?animal=whale", {}, "v1"],
  ["/?animal=whale&otherparam=irrelevant", {}, "v1"],
  ["/path1?animal=whale", {}, "v1"],
  ["/path3?animal=shark", {}, "v1"],
  ["/path4?animal=kraken", version("three"), "v1"],
  ["/path5?animal=hydra", {}, "v1"],
  ["/?animal=dolphin", {}, "v2"],
  ["/?animal=dolphin&color=blue", {}, "v2"],
  ["/?animal=whale", version("one"), "v2"],
  ["/?color=blue", {}, "not-found"],
  ["/?animal=dog", {}, "not-found"],
  ["/?animal=whaledolphin", {}, "not-found"],
  ["/", {}, "not-found"],
  ["/?animal=shark", {}, "not-found"],
  ["/path4?animal=kraken", {}, "not-found"],
  ["/?animal=whale&animal=dolphin", {}, "v1"],
  ["/?%61nimal=wh%61le", {}, "v1"],
  ["/?animal=%E0%A4%A", {}, "not-found"],
])("MeshHTTPRouteQueryParamMatching: %s %j goes to %s", (target, more, expected) => {
  expect(outcome(decide(queries, target, more))).toBe(expected);
});

test.each<[string, readonly Fields[], string, Partial<RequestFacts>]>([
  ["an Exact path before a longer prefix", [path("/a/b"), path("/a/b", "Exact")], "/a/b", {}],
  ["an Exact path before a regular expression", [path("/a.*", "RegularExpression"), path("/ab", "Exact")], "/ab", {}],
  ["a regular expression before a prefix", [path("/abc"), path("/a.*", "RegularExpression")], "/abc", {}],
  ["the longest prefix", [path("/"), path("/a/b")], "/a/b/c", {}],
  ["a method before headers", [header("a", "1"), { method: "GET" }], "/", withHeaders(["a", "1"])],
  ["most headers before query parameters", [query("q", "1"), header("a", "1")], "/?q=1", withHeaders(["a", "1"])],
  ["most query parameters", [{}, query("q", "1")], "/?q=1", {}],
])("precedence (section 3): %s", (_, [first, second], target, more) => {
  const rules = (order: readonly (Fields | undefined)[]) =>
    http(...order.map((match) => ({ matches: [match ?? {}], backendRefs: [to(match === second ? "won" : "lost")] })));
  expect(outcome(decide(rules([first, second]), target, more))).toBe("won");
  expect(outcome(decide(rules([second, first]), target, more))).toBe("won");
});

test("precedence across routes: the oldest, then by namespace/name; inside a route the first", () => {
  const route = (name: string, createdMs: number) =>
    httpRoute({ name, createdMs, rules: [{ backendRefs: [to(name)] }, { backendRefs: [to("second")] }] });
  const winner = (...routes: ReturnType<typeof route>[]) => outcome(decide({ kind: "http", routes }, "/"));
  expect(winner(route("a", 2), route("z", 1))).toBe("z");
  expect(winner(route("b", 1), route("a", 1))).toBe("a");
  expect(winner(route("b", Infinity), route("c", 5), route("a", Infinity))).toBe("c");
  expect(winner(route("b", Infinity), route("a", Infinity))).toBe("a");
});

test.each([
  ["/abc", "/abc", true],
  ["/abc", "/abc/", true],
  ["/abc", "/abc/d", true],
  ["/abc", "/abcd", false],
  ["/abc", "/ABC", false],
  ["/abc/", "/abc", true],
  ["/abc", "/abc?x=1", true],
  ["/", "*", false],
])("PathPrefix %s and %s: %j", (prefix, target, holds) => {
  expect(decide(http({ matches: [path(prefix)], backendRefs: [to("v1")] }), target).kind).toBe(
    holds ? "forward" : "not-found",
  );
});

test.each([
  ["/abc", "/abc", true],
  ["/abc", "/abc/", false],
  ["/abc", "/abc?x", true],
  ["/abc", "/abC", false],
])("Exact %s and %s: %j", (exact, target, holds) => {
  expect(decide(http({ matches: [path(exact, "Exact")], backendRefs: [to("v1")] }), target).kind).toBe(
    holds ? "forward" : "not-found",
  );
});

test("a header that is there several times is one value, joined with a comma", () => {
  const rules = http({ matches: [header("x-a", "1,2")], backendRefs: [to("v1")] });
  expect(outcome(decide(rules, "/", withHeaders(["X-A", "1"], ["x-a", "2"])))).toBe("v1");
});

test("the routes of a client's own namespace stand instead of the Service's, not beside them (section 2)", () => {
  const consumer = http({ matches: [path("/a")], backendRefs: [to("consumer")] });
  const table = tableOf(http({ backendRefs: [to("producer")] }), { consumers: new Map([["client", consumer]]) });
  const from = (sourceNamespace: string, target: string) =>
    outcome(decideHttpRoute(table, requestFacts(target, { sourceNamespace }), () => 0));
  expect(from("client", "/a")).toBe("consumer");
  expect(from("client", "/b")).toBe("not-found");
  expect(from("other", "/a")).toBe("producer");
});

test("a port without routes, or with consumer routes of others only, is served as without routes", () => {
  const table = tableOf(undefined, { consumers: new Map([["client", http({})]]) });
  const decided = (more: Partial<RequestFacts>) => decideHttpRoute(table, requestFacts("/", more), () => 0).kind;
  expect(decided({ sourceNamespace: "other" })).toBe("unrouted");
  expect(decided({ port: 81 })).toBe("unrouted");
  expect(decided({ service: "shop/other" })).toBe("unrouted");
  expect(decided({ authority: "elsewhere" })).toBe("error");
});

test.each<[string, readonly Fields[], readonly [number, string][]]>([
  [
    "70/30",
    [to("v1", 70), to("v2", 30)],
    [
      [0, "v1"],
      [0.699, "v1"],
      [0.7, "v2"],
      [0.999, "v2"],
    ],
  ],
  [
    "weight 1 by default",
    [
      { name: "v1", port: 80 },
      { name: "v2", port: 80 },
    ],
    [
      [0.49, "v1"],
      [0.5, "v2"],
    ],
  ],
  [
    "weight 0 gets nothing",
    [to("v0", 0), to("v1", 1), to("v3", 0)],
    [
      [0, "v1"],
      [0.9999, "v1"],
    ],
  ],
  [
    "weight 0 to a missing Service disturbs nobody",
    [to("v1", 70), to("v2", 30), to("missing", 0)],
    [
      [0, "v1"],
      [0.99, "v2"],
    ],
  ],
  ["a single backend gets all, whatever its weight", [to("v1", 7)], [[0.99, "v1"]]],
  [
    "a missing Service keeps its share as 500",
    [to("missing", 1), to("v1", 1)],
    [
      [0.49, "error 500"],
      [0.5, "v1"],
    ],
  ],
  ["all missing", [to("missing", 1)], [[0.5, "error 500"]]],
  ["no backendRefs", [], [[0, "error 500"]]],
  ["all weights zero", [to("v1", 0), to("missing", 0)], [[0, "error 503"]]],
  ["all weights zero and all missing", [to("missing", 0)], [[0, "error 500"]]],
])("backends (section 4): %s", (_, backendRefs, cases) => {
  for (const [random, expected] of cases)
    expect(outcome(decide(http({ backendRefs }), "/", {}, random))).toBe(expected);
});

test("errors are told to gRPC clients as gRPC, to gRPC-Web and others by status", () => {
  const rules = grpc({ matches: [{ method: { service: "a.B" } }], backendRefs: [to("missing")] });
  expect(decide(rules, "/a.B/C", GRPC)).toMatchObject({ kind: "error", protocol: "grpc" });
  expect(decide(rules, "/x.Y/Z", GRPC)).toEqual({ kind: "not-found", protocol: "grpc" });
  expect(decide(rules, "/x.Y/Z", withHeaders(["content-type", "application/grpc-web"]))).toEqual({
    kind: "not-found",
    protocol: "http",
  });
  expect(decide(http({ matches: [path("/x")] }), "/y", GRPC)).toEqual({ kind: "not-found", protocol: "grpc" });
});

test.each<[Fields, string, boolean]>([
  [{ service: "a.B", method: "C" }, "/a.B/C", true],
  [{ service: "a.B", method: "C" }, "/a.B/c", false],
  [{ service: "a.B" }, "/a.B/D", true],
  [{ service: "a.B" }, "/a.B/D/E", false],
  [{ service: "a.B" }, "/a.Bc/D", false],
  [{ method: "C" }, "/x.Y/C", true],
  [{ type: "RegularExpression", service: "a\\..*" }, "/a.Z/C", true],
  [{ type: "RegularExpression", service: "a\\..*" }, "/ba.Z/C", false],
])("gRPC: %j and %s: %j", (method, target, holds) => {
  expect(decide(grpc({ matches: [{ method }], backendRefs: [to("v1")] }), target, GRPC).kind).toBe(
    holds ? "forward" : "not-found",
  );
});

test("precedence of gRPC: most characters of service, then of method, then most headers (section 3)", () => {
  const rules = grpc(
    { backendRefs: [to("all")] },
    { matches: [header("a", "1")], backendRefs: [to("header")] },
    { matches: [{ method: { method: "C" } }], backendRefs: [to("method")] },
    { matches: [{ method: { service: "a.B" } }], backendRefs: [to("service")] },
    { matches: [{ method: { service: "a.B", method: "C" } }], backendRefs: [to("both")] },
  );
  const headers = withHeaders(["a", "1"]);
  expect(["/a.B/C", "/a.B/D", "/x.Y/C", "/x.Y/Z"].map((target) => outcome(decide(rules, target, headers)))).toEqual([
    "both",
    "service",
    "method",
    "header",
  ]);
  expect(outcome(decide(rules, "/x.Y/Z"))).toBe("all");
});

const filters = (...list: readonly Fields[]): Fields => ({ filters: list });
const set = (name: string, value: string): Fields => ({ set: [{ name, value }] });

test("a filter that cannot be applied is never skipped: 500, also where another would have answered", () => {
  const extension = { type: "ExtensionRef", extensionRef: { group: "x.y", kind: "Z", name: "a" } };
  const redirect = { type: "RequestRedirect", requestRedirect: {} };
  expect(outcome(decide(http({ ...filters(extension), backendRefs: [to("v1")] }), "/"))).toBe("error 500");
  expect(outcome(decide(http(filters(redirect, extension)), "/"))).toBe("error 500");
  const backends = [{ ...to("v1"), filters: [extension] }, to("v2")];
  expect([0, 0.5].map((random) => outcome(decide(http({ backendRefs: backends }), "/", {}, random)))).toEqual([
    "error 500",
    "v2",
  ]);
});

test("what is forwarded has the rule's filters in their order, then those of the backend", () => {
  const modify = (name: string, value: string) => ({
    type: "RequestHeaderModifier",
    requestHeaderModifier: set(name, value),
  });
  const rule = {
    matches: [path("/old")],
    ...filters(modify("x-rule", "1"), {
      type: "URLRewrite",
      urlRewrite: { hostname: "new.example", path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/new" } },
    }),
    timeouts: { request: "2s" },
    retry: { attempts: 2, codes: [503] },
    backendRefs: [{ ...to("v1"), filters: [modify("x-backend", "2"), modify2("x-answer", "3")] }],
  };
  const decision = decide(http(rule), "/old/a?b=c", withHeaders(["x-rule", "0"], ["other", "kept"]));
  expect(decision).toMatchObject({
    kind: "forward",
    backend: { service: "shop/v1", port: 80 },
    request: {
      authority: "new.example",
      target: "/new/a?b=c",
      fields: fieldList(["other", "kept"], ["x-rule", "1"], ["x-backend", "2"]),
    },
    responseFilters: [{ kind: "response-header-modifier" }],
    timeouts: { requestMs: 2_000 },
    retry: { attempts: 2, codes: [503] },
    mirrors: [],
  });
});

const modify2 = (name: string, value: string) => ({
  type: "ResponseHeaderModifier",
  responseHeaderModifier: set(name, value),
});

test.each<[string, Fields, number, number]>([
  ["all by default", {}, 0.99, 1],
  ["0 percent", { percent: 0 }, 0, 0],
  ["50 percent, below", { percent: 50 }, 0.49, 1],
  ["50 percent, above", { percent: 50 }, 0.5, 0],
  ["a fraction, below", { fraction: { numerator: 1, denominator: 1_000 } }, 0.0009, 1],
  ["a fraction, above", { fraction: { numerator: 1, denominator: 1_000 } }, 0.001, 0],
])("mirrors: %s", (_, share, random, copies) => {
  const mirror = { type: "RequestMirror", requestMirror: { backendRef: { name: "copy", port: 80 }, ...share } };
  const decision = decide(http({ ...filters(mirror), backendRefs: [to("v1")] }), "/", {}, random);
  expect(decision).toMatchObject({ kind: "forward", mirrors: { length: copies } });
});

test("a mirror that leads nowhere gets no copy, and the request goes on", () => {
  const mirror = { type: "RequestMirror", requestMirror: { backendRef: { name: "missing", port: 80 } } };
  expect(decide(http({ ...filters(mirror), backendRefs: [to("v1")] }), "/")).toMatchObject({
    kind: "forward",
    mirrors: [],
  });
});

test("an explanation says whose routes hold, every candidate in order, and what kept it from matching", () => {
  const rules = http(
    { name: "all", matches: [path("/")], backendRefs: [to("v1")] },
    { name: "beta", matches: [{ ...path("/a"), ...header("beta", "yes") }], backendRefs: [to("v2")] },
    { name: "posts", matches: [{ ...path("/a"), method: "POST" }, path("/b", "Exact")], backendRefs: [to("v2")] },
    { name: "again", backendRefs: [to("v1")] },
  );
  const facts = requestFacts("/a/x", withHeaders(["beta", "no"]));
  const { group, candidates, decision } = explainHttpRoute(tableOf(rules), facts, () => 0);
  expect(group).toBe("producer");
  expect(decision).toMatchObject({ kind: "forward", rule: { ruleName: "all", ruleIndex: 0, matchIndex: 0 } });
  expect(candidates.map(({ rule, outcome }) => [rule.ruleName, rule.matchIndex, outcome])).toEqual([
    ["posts", 1, { kind: "mismatch", mismatch: { kind: "path", wanted: "Exact /b" } }],
    ["posts", 0, { kind: "mismatch", mismatch: { kind: "method", wanted: "POST" } }],
    ["beta", 0, { kind: "mismatch", mismatch: { kind: "header", name: "beta", wanted: "yes", found: "no" } }],
    ["all", 0, { kind: "chosen" }],
    ["again", 0, { kind: "behind" }],
  ]);
  expect(explainHttpRoute(tableOf(undefined), facts, () => 0)).toEqual({
    group: undefined,
    candidates: [],
    decision: { kind: "unrouted" },
  });
});
