import { expect, test } from "vitest";
import {
  decide,
  GRPC,
  grpc,
  header,
  http,
  outcome,
  path,
  tableOf,
  to,
  withHeaders,
} from "../testing/route-decisions.ts";
import type { Fields } from "../testing/route-yaml.ts";
import { fieldList, requestFacts } from "../testing/routes.ts";
import { explainHttpRoute } from "./explain-http-route.ts";

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
