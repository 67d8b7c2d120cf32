import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fieldList, requestFacts } from "../testing/routes.ts";
import { explainHttpRoute } from "./explain-http-route.ts";
import { MatchedRequest, type RequestFacts } from "./request-facts.ts";
import type { GrpcMatch, HttpMatch, PathMatch, Route, RouteRule, TextMatch, ValueMatch } from "./route.ts";
import { compileRoutes } from "./route-matcher.ts";
import { compileTable } from "./route-table.ts";

/** Many regular expressions are compiled, on machines that may be busy. */
const TIMEOUT_MS = 120_000;

// Few words, so that requests meet matches and matches meet each other.
const paths = ["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/b", "/a.B/C", "/a.B/D", "/abc/C"];
const pathMatch = fc.oneof(
  fc.record({ kind: fc.constantFrom("exact" as const, "prefix" as const), value: fc.constantFrom(...paths) }),
  fc.record({ kind: fc.constant("regex" as const), value: fc.constantFrom("/a.*", "/[ab]", "/.*b") }),
);
const value = fc.constantFrom("1", "2");
const valueMatch = (...names: readonly string[]): fc.Arbitrary<readonly ValueMatch[]> =>
  fc.uniqueArray(
    fc.oneof(
      fc.record({ kind: fc.constant("exact" as const), name: fc.constantFrom(...names), value }),
      fc.record({ kind: fc.constant("regex" as const), name: fc.constantFrom(...names), value: fc.constant("[12]") }),
    ),
    { maxLength: 2, selector: ({ name }) => name },
  );
const httpMatch: fc.Arbitrary<HttpMatch> = fc.record({
  path: pathMatch,
  method: fc.constantFrom(undefined, undefined, "GET", "POST"),
  headers: valueMatch("x-a", "x-b"),
  queryParams: valueMatch("p", "q"),
});
const text = (...values: readonly string[]): fc.Arbitrary<TextMatch | undefined> =>
  fc.oneof(
    fc.constant(undefined),
    fc.record({ kind: fc.constant("exact" as const), value: fc.constantFrom(...values) }),
    fc.record({ kind: fc.constant("regex" as const), value: fc.constantFrom(".*B", "a.*", "[CD]", "C|D|E|F") }),
  );
const grpcMatch: fc.Arbitrary<GrpcMatch> = fc.record({
  service: text("a.B", "abc", "a"),
  method: text("C", "D", "b"),
  headers: valueMatch("x-a", "x-b"),
});
const routesOf = <Match>(match: fc.Arbitrary<Match>): fc.Arbitrary<readonly Route<Match>[]> => {
  const rule = fc.array(match, { minLength: 1, maxLength: 4 });
  const route = fc.record({
    namespace: fc.constantFrom("a", "b"),
    name: fc.constantFrom("x", "y", "z"),
    createdMs: fc.constantFrom(1, 2, Infinity),
    rules: fc.array(rule, { maxLength: 4 }),
  });
  return fc
    .uniqueArray(route, { maxLength: 4, selector: ({ namespace, name }) => `${namespace}/${name}` })
    .map((routes) =>
      routes.map(({ rules, ...rest }) => ({ ...rest, rules: rules.map((matches, index) => ruleOf(index, matches)) })),
    );
};
const ruleOf = <Match>(index: number, matches: readonly Match[]): RouteRule<Match> => ({
  index,
  matches,
  name: undefined,
  filters: [],
  backends: [],
  retry: undefined,
  sessionPersistence: undefined,
  timeouts: { requestMs: undefined, backendRequestMs: undefined },
});
const header = fc.tuple(fc.constantFrom("X-A", "x-a", "x-b"), value);
const request = fc
  .record({
    method: fc.constantFrom("GET", "POST"),
    path: fc.constantFrom(...paths, "/a/b/", "/c", "*", ""),
    query: fc.constantFrom("", "?", "?p=1", "?p=2&q=1", "?q=2&q=1", "?%70=1"),
    headers: fc.array(header, { maxLength: 3 }),
  })
  .map(({ method, path, query, headers }): RequestFacts =>
    requestFacts(path + query, { method, fields: fieldList(...headers) }),
  );

/** What the text of Gateway API says, without any thought about speed: everything is looked at, and each rule in words. */
const naive = <Match>(
  routes: readonly Route<Match>[],
  matches: (match: Match) => boolean,
  rank: (match: Match) => readonly number[],
): string | undefined => {
  const found = routes.flatMap((route) =>
    route.rules.flatMap((rule) =>
      rule.matches.flatMap((match, index) => (matches(match) ? [{ route, rule, match, index }] : [])),
    ),
  );
  found.sort((a, b) => {
    const [left, right] = [rank(a.match), rank(b.match)];
    for (const [index, number] of left.entries()) if (number !== right[index]) return (right[index] ?? 0) - number;
    if (a.route.createdMs !== b.route.createdMs) return a.route.createdMs < b.route.createdMs ? -1 : 1;
    const names = [a, b].map(({ route }) => `${route.namespace}/${route.name}`);
    if (names[0] !== names[1]) return String(names[0]) < String(names[1]) ? -1 : 1;
    return a.rule.index - b.rule.index || a.index - b.index;
  });
  const [first] = found;
  return first && `${first.route.namespace}/${first.route.name} ${first.rule.index} ${first.index}`;
};

const whole = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`);
const elements = (path: string): readonly string[] => path.replace(/\/$/, "").split("/");
const pathHolds = ({ kind, value }: PathMatch, path: string): boolean => {
  if (kind === "exact") return path === value;
  if (kind === "regex") return whole(value).test(path);
  return path.startsWith("/") && elements(value).every((element, index) => elements(path)[index] === element);
};
const valueHolds = ({ kind, value }: TextMatch | ValueMatch, found: string | undefined): boolean =>
  found !== undefined && (kind === "exact" ? found === value : whole(value).test(found));
const headerOf = (facts: RequestFacts, name: string): string | undefined => {
  const values = facts.fields.filter((field) => field.name.toLowerCase() === name).map(({ value }) => value);
  return values.length === 0 ? undefined : values.join(",");
};
const headersHold = (matches: readonly ValueMatch[], facts: RequestFacts): boolean =>
  matches.every((match) => valueHolds(match, headerOf(facts, match.name)));

const naiveHttp = (routes: readonly Route<HttpMatch>[], facts: RequestFacts): string | undefined => {
  const [path = "", query] = facts.target.split("?");
  const params = new URLSearchParams(query ?? "");
  return naive(
    routes,
    (match) =>
      pathHolds(match.path, path) &&
      (match.method === undefined || match.method === facts.method) &&
      headersHold(match.headers, facts) &&
      match.queryParams.every((each) => valueHolds(each, params.get(each.name) ?? undefined)),
    ({ path, method, headers, queryParams }) => [
      path.kind === "exact" ? 1 : 0,
      path.kind === "regex" ? 1 : 0,
      path.kind === "regex" ? path.value.length : 0,
      path.kind === "prefix" ? path.value.replace(/\/$/, "").length : 0,
      method === undefined ? 0 : 1,
      headers.length,
      queryParams.length,
    ],
  );
};

const naiveGrpc = (routes: readonly Route<GrpcMatch>[], facts: RequestFacts): string | undefined => {
  const rpc = /^\/([^/]*)\/([^/]*)$/.exec(facts.target.split("?")[0] ?? "");
  return naive(
    routes,
    ({ service, method, headers }) =>
      (!service || valueHolds(service, rpc?.[1])) &&
      (!method || valueHolds(method, rpc?.[2])) &&
      headersHold(headers, facts),
    ({ service, method, headers }) => [service?.value.length ?? 0, method?.value.length ?? 0, headers.length],
  );
};

test(
  "the compiled matcher of HTTPRoutes finds what the rules of precedence say",
  () => {
    fc.assert(
      fc.property(routesOf(httpMatch), fc.array(request, { minLength: 1, maxLength: 5 }), (routes, requests) => {
        const matcher = compileRoutes({ kind: "http", routes });
        for (const facts of requests) {
          const found = matcher.find(new MatchedRequest(facts));
          const name = found && `${found.route.namespace}/${found.route.name} ${found.rule.index} ${found.matchIndex}`;
          expect(name).toBe(naiveHttp(routes, facts));
        }
      }),
      { numRuns: 700 },
    );
  },
  TIMEOUT_MS,
);

test(
  "the compiled matcher of GRPCRoutes finds what the rules of precedence say",
  () => {
    fc.assert(
      fc.property(routesOf(grpcMatch), fc.array(request, { minLength: 1, maxLength: 5 }), (routes, requests) => {
        const matcher = compileRoutes({ kind: "grpc", routes });
        for (const facts of requests) {
          const found = matcher.find(new MatchedRequest(facts));
          const name = found && `${found.route.namespace}/${found.route.name} ${found.rule.index} ${found.matchIndex}`;
          expect(name).toBe(naiveGrpc(routes, facts));
        }
      }),
      { numRuns: 700 },
    );
  },
  TIMEOUT_MS,
);

test(
  "an explanation names every match, and as chosen the one that the decision follows",
  () => {
    fc.assert(
      fc.property(routesOf(httpMatch), request, (routes, facts) => {
        const port = { service: facts.service, port: facts.port, consumers: new Map() };
        const table = compileTable([{ ...port, producer: { kind: "http", routes } }]);
        const { candidates, decision } = explainHttpRoute(table, facts, () => 0);
        const chosen = candidates.filter(({ outcome }) => outcome.kind === "chosen").map(({ rule }) => rule);
        expect(candidates.length).toBe(routes.flatMap(({ rules }) => rules.flatMap(({ matches }) => matches)).length);
        expect(chosen).toEqual("rule" in decision ? [decision.rule] : []);
      }),
      { numRuns: 300 },
    );
  },
  TIMEOUT_MS,
);
