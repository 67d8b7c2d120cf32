import { expect, test } from "vitest";
import { type Fields, filterRule, gatewayObject, problemPaths } from "../testing/route-yaml.ts";

/** Paths of problems of an HTTPRoute with this one rule. */
const ruleProblems = (rule: Fields): readonly string[] =>
  problemPaths(gatewayObject("HTTPRoute", { rules: [rule] })).map((path) => path.replace("spec.rules[0].", ""));

const backend = { name: "web", port: 80 };

const many = <Item>(count: number, item: Item): readonly Item[] => Array.from({ length: count }, () => item);

test.each<[string, unknown, string]>([
  ["33 parents", { parentRefs: Array.from({ length: 33 }, (_, index) => ({ name: `a${index}` })) }, "spec.parentRefs"],
  ["a parent twice", { parentRefs: many(2, { name: "a", port: 80 }) }, "spec.parentRefs[1]"],
  ["a parent beside its port", { parentRefs: [{ name: "a", port: 80 }, { name: "a" }] }, "spec.parentRefs[1]"],
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
  expect(problemPaths(gatewayObject("HTTPRoute", spec))).toEqual([path]);
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
  ["a redirect with backends", { ...filterRule("RequestRedirect", {}), backendRefs: [backend] }, "backendRefs"],
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
    filterRule("RequestHeaderModifier", { set: [{ name: "A", value: "b" }], remove: ["a"] }),
    "filters[0].requestHeaderModifier",
  ],
  [
    "a line end in a value",
    filterRule("ResponseHeaderModifier", { set: [{ name: "a", value: "b\r\nc: d" }] }),
    "filters[0].responseHeaderModifier.set[0].value",
  ],
  [
    "percent and fraction",
    filterRule("RequestMirror", { backendRef: backend, percent: 1, fraction: { numerator: 1 } }),
    "filters[0].requestMirror",
  ],
  [
    "a fraction above 1",
    filterRule("RequestMirror", { backendRef: backend, fraction: { numerator: 101 } }),
    "filters[0].requestMirror.fraction",
  ],
  [
    "a percentage above 100",
    filterRule("RequestMirror", { backendRef: backend, percent: 101 }),
    "filters[0].requestMirror.percent",
  ],
  ["* beside others", filterRule("CORS", { allowOrigins: ["*", "https://a.b"] }), "filters[0].cors.allowOrigins"],
  ["no origin", filterRule("CORS", { allowOrigins: ["a.b"] }), "filters[0].cors.allowOrigins[0]"],
  ["a maximal age of 0", filterRule("CORS", { maxAge: 0 }), "filters[0].cors.maxAge"],
  [
    "a wildcard to redirect to",
    filterRule("RequestRedirect", { hostname: "*.a" }),
    "filters[0].requestRedirect.hostname",
  ],
  [
    "a modifier without its path",
    filterRule("URLRewrite", { path: { type: "ReplaceFullPath" } }),
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
