import { unwrap } from "../result.ts";
import {
  type CompiledMatch,
  compileGrpcMatch,
  compileHttpMatch,
  type Mismatch,
  mismatch,
  parseRpcPath,
} from "./compiled-match.ts";
import { endsElement } from "./path-prefix.ts";
import { byGrpcPrecedence, byHttpPrecedence, type MatchPlace } from "./precedence.ts";
import type { MatchedRequest } from "./request-facts.ts";
import type { GrpcMatch, HttpMatch, Route, RouteRule, RouteSet } from "./route.ts";

/** A match of a rule, at its place in the order of precedence. */
export interface RouteEntry {
  /** 0 is looked at first. */
  readonly rank: number;
  readonly route: { readonly namespace: string; readonly name: string };
  readonly rule: RouteRule<unknown>;
  readonly matchIndex: number;
  readonly match: CompiledMatch;
}

/** An entry that was looked at, and what kept it from matching. */
export interface Candidate {
  readonly entry: RouteEntry;
  readonly mismatch: Mismatch | undefined;
}

/**
 * The rules that hold for a client at a Service's port, in the order of precedence. What a request costs depends on the entries
 * that its path, or its service and method, may lead to, not on how many there are.
 */
export interface RouteMatcher {
  readonly kind: RouteSet["kind"];
  /** In the order of precedence. */
  readonly entries: readonly RouteEntry[];
  readonly find: (request: MatchedRequest) => RouteEntry | undefined;
}

/** @throws Error on a regular expression that cannot be compiled: whoever reads routes keeps those out */
export const compileRoutes = (set: RouteSet): RouteMatcher => {
  if (set.kind === "http") {
    const entries = entriesOf<HttpMatch>(set.routes, byHttpPrecedence, (match) => unwrap(compileHttpMatch(match)));
    return matcher("http", entries, httpIndex(entries));
  }
  const entries = entriesOf<GrpcMatch>(set.routes, byGrpcPrecedence, (match) => unwrap(compileGrpcMatch(match)));
  return matcher("grpc", entries, grpcIndex(entries));
};

/** Every entry in the order of precedence, and why it does or does not match. The first that matches is the one found. */
export const explainMatches = ({ entries }: RouteMatcher, request: MatchedRequest): readonly Candidate[] =>
  entries.map((entry) => ({ entry, mismatch: mismatch(entry.match, request) }));

const entriesOf = <Match>(
  routes: readonly Route<Match>[],
  order: (a: MatchPlace<Match>, b: MatchPlace<Match>) => number,
  compile: (match: Match) => CompiledMatch,
): readonly RouteEntry[] =>
  routes
    .flatMap((route) =>
      route.rules.flatMap((rule) =>
        rule.matches.map((match, matchIndex) => ({ route, rule, ruleIndex: rule.index, matchIndex, match })),
      ),
    )
    .sort(order)
    .map(({ route, rule, matchIndex, match }, rank) => ({ rank, route, rule, matchIndex, match: compile(match) }));

/** Lists of entries, each in the order of precedence, that a request may match. */
type RouteIndex = (request: MatchedRequest) => readonly (readonly RouteEntry[] | undefined)[];

const matcher = (kind: RouteMatcher["kind"], entries: readonly RouteEntry[], index: RouteIndex): RouteMatcher => ({
  kind,
  entries,
  find: (request) => {
    let best: RouteEntry | undefined;
    for (const list of index(request)) if (list) best = firstMatch(list, request, best);
    return best;
  },
});

/** The first entry of a list that matches and comes before the best one so far; else that. */
const firstMatch = (
  list: readonly RouteEntry[],
  request: MatchedRequest,
  best: RouteEntry | undefined,
): RouteEntry | undefined => {
  for (const entry of list) {
    if (best && entry.rank > best.rank) return best;
    if (!mismatch(entry.match, request)) return entry;
  }
  return best;
};

/** Exact paths and prefixes are looked up; of prefixes only the lengths that there are. */
const httpIndex = (entries: readonly RouteEntry[]): RouteIndex => {
  const exact = new Map<string, RouteEntry[]>();
  const prefixes = new Map<string, RouteEntry[]>();
  const regexes: RouteEntry[] = [];
  for (const entry of entries) {
    const { path } = entry.match;
    if (path.kind === "exact") put(exact, path.value, entry);
    else if (path.kind === "prefix") put(prefixes, path.prefix, entry);
    else regexes.push(entry);
  }
  const lengths = [...new Set([...prefixes.keys()].map(({ length }) => length))].sort((a, b) => b - a);
  return ({ path }) => {
    // Whoever asks a map has the whole path hashed.
    const lists = [exact.size === 0 ? undefined : exact.get(path), regexes];
    for (const length of lengths) if (endsElement(path, length)) lists.push(prefixes.get(path.slice(0, length)));
    return lists;
  };
};

/** Exact services and methods are looked up. */
const grpcIndex = (entries: readonly RouteEntry[]): RouteIndex => {
  const byService = new Map<string, RouteEntry[]>();
  const byRpc = new Map<string, RouteEntry[]>();
  const others: RouteEntry[] = [];
  for (const entry of entries) {
    const { path } = entry.match;
    if (path.kind !== "rpc" || path.service?.kind !== "exact") others.push(entry);
    else if (path.method?.kind !== "exact") put(byService, path.service.value, entry);
    else put(byRpc, `${path.service.value}/${path.method.value}`, entry);
  }
  return ({ path }) => {
    const rpc = parseRpcPath(path);
    return rpc ? [byRpc.get(path.slice(1)), byService.get(rpc.service), others] : [others];
  };
};

const put = (map: Map<string, RouteEntry[]>, key: string, entry: RouteEntry): void => {
  const entries = map.get(key);
  if (entries) entries.push(entry);
  else map.set(key, [entry]);
};
