import { expect, test } from "vitest";
import {
  decide,
  GRPC,
  grpc,
  header,
  http,
  outcome,
  path,
  query,
  tableOf,
  to,
  version,
  withHeaders,
} from "../testing/route-decisions.ts";
import type { Fields } from "../testing/route-yaml.ts";
import { httpRoute, requestFacts } from "../testing/routes.ts";
import { decideHttpRoute } from "./decide-http-route.ts";
import type { RequestFacts } from "./request-facts.ts";

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
