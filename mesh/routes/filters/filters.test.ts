import { expect, test } from "vitest";
import { fieldList, httpRoute, requestFacts } from "../../testing/routes.ts";
import { applyResponseFilters, decideHttpRoute, type RouteDecision } from "../decide-http-route.ts";
import type { Field } from "../field.ts";
import type { RequestFacts } from "../request-facts.ts";
import { compileTable } from "../route-table.ts";
import { modifyHeaders } from "./header-modifier.ts";

type Fields = Readonly<Record<string, unknown>>;
type Pairs = readonly (readonly [string, string])[];

const decide = (rule: Fields, facts: RequestFacts): RouteDecision => {
  const producer = { kind: "http" as const, routes: [httpRoute({ rules: [rule] })] };
  const table = compileTable([{ service: facts.service, port: facts.port, producer, consumers: new Map() }]);
  return decideHttpRoute(table, facts, () => 0);
};

const pairs = (fields: readonly Field[]): Pairs => fields.map(({ name, value }) => [name, value]);

test.each<[string, { set?: Pairs; add?: Pairs; remove?: readonly string[] }, Pairs, Pairs]>([
  ["set makes", { set: [["x-a", "1"]] }, [], [["x-a", "1"]]],
  [
    "set overwrites all",
    { set: [["x-a", "1"]] },
    [
      ["X-A", "0"],
      ["b", "2"],
      ["x-a", "00"],
    ],
    [
      ["b", "2"],
      ["x-a", "1"],
    ],
  ],
  ["add makes", { add: [["x-a", "1"]] }, [], [["x-a", "1"]]],
  ["add appends with a bare comma", { add: [["x-a", "new"]] }, [["X-A", "old"]], [["X-A", "old,new"]]],
  [
    "add appends to the last",
    { add: [["x-a", "3"]] },
    [
      ["x-a", "1"],
      ["x-a", "2"],
    ],
    [
      ["x-a", "1"],
      ["x-a", "2,3"],
    ],
  ],
  ["add to an empty value", { add: [["x-a", "1"]] }, [["x-a", ""]], [["x-a", "1"]]],
  [
    "Set-Cookie is never joined",
    { add: [["set-cookie", "b=2"]] },
    [["Set-Cookie", "a=1"]],
    [
      ["Set-Cookie", "a=1"],
      ["set-cookie", "b=2"],
    ],
  ],
  [
    "remove",
    { remove: ["x-a"] },
    [
      ["X-A", "0"],
      ["b", "2"],
      ["x-a", "00"],
    ],
    [["b", "2"]],
  ],
  ["remove what is not there", { remove: ["x-a"] }, [["b", "2"]], [["b", "2"]]],
])("header modifier: %s", (_, { set = [], add = [], remove = [] }, before, after) => {
  const values = (list: Pairs) => list.map(([name, value]) => ({ name, value }));
  const fields = fieldList(...before);
  expect(pairs(modifyHeaders({ set: values(set), add: values(add), remove }, fields))).toEqual(after);
  expect(pairs(fields)).toEqual(before);
});

test("a field that must not be compressed stays such when it grows", () => {
  const [field] = modifyHeaders({ set: [], add: [{ name: "a", value: "2" }], remove: [] }, [
    { name: "a", value: "1", isNeverIndexed: true },
  ]);
  expect(field).toEqual({ name: "a", value: "1,2", isNeverIndexed: true });
});

const prefix = (value: string) => ({ matches: [{ path: { type: "PathPrefix", value } }] });

test.each([
  ["/foo", "/xyz", "/foo/bar", "/xyz/bar"],
  ["/foo", "/xyz/", "/foo/bar", "/xyz/bar"],
  ["/foo/", "/xyz", "/foo/bar", "/xyz/bar"],
  ["/foo", "/xyz", "/foo", "/xyz"],
  ["/foo", "/xyz/", "/foo", "/xyz"],
  ["/foo", "/xyz", "/foo/", "/xyz/"],
  ["/foo", "", "/foo/bar", "/bar"],
  ["/foo", "/", "/foo/bar", "/bar"],
  ["/foo", "", "/foo", "/"],
  ["/foo", "/", "/foo", "/"],
  ["/foo", "", "/foo/", "/"],
  ["/foo", "/", "/foo/", "/"],
  ["/", "/xyz", "/bar", "/xyz/bar"],
  ["/foo", "/xyz", "/foo/bar?a=/foo", "/xyz/bar?a=/foo"],
  ["/foo", "/xyz", "/foo?a", "/xyz?a"],
])("ReplacePrefixMatch: prefix %s by %j: %s becomes %s", (match, replacement, target, expected) => {
  const path = { type: "ReplacePrefixMatch", replacePrefixMatch: replacement };
  const facts = requestFacts(target);
  const rewrite = {
    ...prefix(match),
    filters: [{ type: "URLRewrite", urlRewrite: { path } }],
    backendRefs: [{ name: "v1", port: 80 }],
  };
  expect(decide(rewrite, facts)).toMatchObject({ request: { target: expected, authority: "echo" } });
  const redirect = { ...prefix(match), filters: [{ type: "RequestRedirect", requestRedirect: { path } }] };
  expect(decide(redirect, facts)).toMatchObject({ location: `http://echo${expected}` });
});

test("ReplaceFullPath keeps the query", () => {
  const path = { type: "ReplaceFullPath", replaceFullPath: "/new" };
  const rule = { filters: [{ type: "URLRewrite", urlRewrite: { path } }], backendRefs: [{ name: "v1", port: 80 }] };
  expect(decide(rule, requestFacts("/old/x?a=b"))).toMatchObject({ request: { target: "/new?a=b" } });
});

test.each<[string, Fields, Partial<RequestFacts>, number, string]>([
  ["hostname", { hostname: "example.org" }, {}, 302, "http://example.org/a?b=c"],
  ["hostname and status", { hostname: "example.org", statusCode: 301 }, {}, 301, "http://example.org/a?b=c"],
  ["port", { port: 8083 }, {}, 302, "http://echo:8083/a?b=c"],
  ["the scheme's port is left out", { port: 80 }, { port: 8080 }, 302, "http://echo/a?b=c"],
  ["443 is left out of https", { scheme: "https", port: 443 }, {}, 302, "https://echo/a?b=c"],
  ["443 stays in http", { port: 443 }, {}, 302, "http://echo:443/a?b=c"],
  ["a scheme brings its port", { scheme: "https" }, { port: 8080, authority: "echo:8080" }, 302, "https://echo/a?b=c"],
  ["80 stays in https", { scheme: "https", port: 80 }, {}, 302, "https://echo:80/a?b=c"],
  ["else the Service's port", { hostname: "h" }, { port: 8080, authority: "echo:1" }, 302, "http://h:8080/a?b=c"],
  ["status only", { statusCode: 303 }, {}, 303, "http://echo/a?b=c"],
  ["307", { statusCode: 307 }, {}, 307, "http://echo/a?b=c"],
  ["308", { statusCode: 308 }, {}, 308, "http://echo/a?b=c"],
  ["an IPv6 address", {}, { authority: "[fd00::1]:80" }, 302, "http://[fd00::1]/a?b=c"],
  ["an IPv6 address without port", {}, { authority: "[fd00::1]" }, 302, "http://[fd00::1]/a?b=c"],
  [
    "no authority",
    {},
    { authority: "", service: "shop/echo.shop.svc.cluster.local" },
    302,
    "http://echo.shop.svc.cluster.local/a?b=c",
  ],
  ["a full path", { path: { type: "ReplaceFullPath", replaceFullPath: "/x" } }, {}, 302, "http://echo/x?b=c"],
])("redirect: %s", (_, requestRedirect, more, status, location) => {
  const rule = { filters: [{ type: "RequestRedirect", requestRedirect }] };
  expect(decide(rule, requestFacts("/a?b=c", more))).toMatchObject({ kind: "redirect", status, location });
});

const cors = (fields: Fields) => ({
  filters: [{ type: "CORS", cors: fields }],
  backendRefs: [{ name: "v1", port: 80 }],
});
const asks = (origin: string, ...more: Pairs): Partial<RequestFacts> => ({
  fields: fieldList(["Origin", origin], ...more),
});
const METHOD = ["access-control-request-method", "PUT"] as const;
const HEADERS = ["access-control-request-headers", "x-a, x-b"] as const;

test.each<[string, Fields, Partial<RequestFacts>, Pairs]>([
  [
    "an allowed origin",
    { allowOrigins: ["https://a.example"], allowMethods: ["PUT"], allowHeaders: ["X-A"] },
    asks("https://a.example", METHOD, HEADERS),
    [
      ["access-control-allow-origin", "https://a.example"],
      ["access-control-allow-methods", "GET, HEAD, POST, PUT"],
      ["access-control-allow-headers", "x-a"],
      ["access-control-max-age", "5"],
    ],
  ],
  ["another origin", { allowOrigins: ["https://a.example"] }, asks("https://b.example", METHOD), []],
  ["another scheme", { allowOrigins: ["https://a.example"] }, asks("http://a.example", METHOD), []],
  [
    "all origins, no headers asked for",
    { allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], maxAge: 60 },
    asks("https://b.example", METHOD),
    [
      ["access-control-allow-origin", "*"],
      ["access-control-allow-methods", "*"],
      ["access-control-max-age", "60"],
    ],
  ],
  [
    "with credentials never *",
    { allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], allowCredentials: true },
    asks("https://b.example", METHOD, HEADERS),
    [
      ["access-control-allow-origin", "https://b.example"],
      ["access-control-allow-credentials", "true"],
      ["access-control-allow-methods", "PUT"],
      ["access-control-allow-headers", "x-a, x-b"],
      ["access-control-max-age", "5"],
    ],
  ],
])("CORS preflight: %s", (_, fields, more, expected) => {
  const decision = decide(cors(fields), requestFacts("/", { method: "OPTIONS", ...more }));
  if (decision.kind !== "respond") throw new Error(`answered with ${decision.kind}`);
  expect(decision.status).toBe(204);
  expect(pairs(decision.fields)).toEqual([...expected, ["vary", "origin"]]);
});

test.each([
  ["https://*.example.com", "https://a.example.com", true],
  ["https://*.example.com", "https://a.b.example.com", true],
  ["https://*.example.com", "https://example.com", false],
  ["https://*.example.com", "https://a.example.com.evil", false],
  ["https://*.example.com", "https://evil/.example.com", false],
  ["https://*.example.com:8443", "https://a.example.com:8443", true],
  ["https://*.example.com", "https://a.example.com:8443", false],
  ["https://*", "https://anything.at.all", true],
  ["https://*", "http://anything", false],
  ["https://A.example", "https://a.EXAMPLE", true],
  ["https://a.example:*", "https://a.example:77", true],
])("CORS: %s allows %s: %j", (allowed, origin, isAllowed) => {
  const facts = requestFacts("/", { method: "OPTIONS", ...asks(origin, METHOD) });
  const decision = decide(cors({ allowOrigins: [allowed] }), facts);
  if (decision.kind !== "respond") throw new Error(`answered with ${decision.kind}`);
  const value = isAllowed ? origin : undefined;
  expect(decision.fields.find(({ name }) => name === "access-control-allow-origin")?.value).toBe(value);
});

test("an OPTIONS request that asks nothing of CORS goes to the backend", () => {
  const facts = requestFacts("/", { method: "OPTIONS", ...asks("https://a.example") });
  expect(decide(cors({ allowOrigins: ["*"] }), facts).kind).toBe("forward");
});

test("a response has the mesh's fields of CORS, and none that the backend made", () => {
  const facts = requestFacts("/", asks("https://a.example"));
  const answer = (fields: Fields, more: Partial<RequestFacts> = {}): Pairs => {
    const decision = decide(cors(fields), { ...facts, ...more });
    if (decision.kind !== "forward") throw new Error(decision.kind);
    const backend = fieldList(["Access-Control-Allow-Origin", "https://evil"], ["X-A", "1"]);
    return pairs(applyResponseFilters(decision.responseFilters, { ...facts, ...more }, backend));
  };
  expect(answer({ allowOrigins: ["https://a.example"], allowCredentials: true, exposeHeaders: ["*"] })).toEqual([
    ["X-A", "1"],
    ["access-control-allow-origin", "https://a.example"],
    ["access-control-allow-credentials", "true"],
    ["access-control-expose-headers", "x-a"],
    ["vary", "origin"],
  ]);
  expect(answer({ allowOrigins: ["https://b.example"] })).toEqual([
    ["X-A", "1"],
    ["vary", "origin"],
  ]);
  expect(answer({ allowOrigins: ["*"], exposeHeaders: ["*"] })).toContainEqual(["access-control-expose-headers", "*"]);
  expect(answer({ allowOrigins: ["*"] }, { fields: [] })).toEqual([
    ["X-A", "1"],
    ["vary", "origin"],
  ]);
});

test("a redirect's answer has the response filters of its rule", () => {
  const filters = [
    { type: "ResponseHeaderModifier", responseHeaderModifier: { set: [{ name: "x-a", value: "1" }] } },
    { type: "RequestRedirect", requestRedirect: {} },
  ];
  expect(decide({ filters }, requestFacts("/"))).toMatchObject({
    kind: "redirect",
    responseFilters: [{ kind: "response-header-modifier" }],
  });
});
