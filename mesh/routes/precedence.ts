import type { GrpcMatch, HttpMatch, PathMatch, Route } from "./route.ts";
import { normalPrefix } from "./path-prefix.ts";

/** One match of a rule of a route: what precedence is between. */
export interface MatchPlace<Match> {
  readonly route: Pick<Route<Match>, "namespace" | "name" | "createdMs">;
  readonly ruleIndex: number;
  readonly matchIndex: number;
  readonly match: Match;
}

type Order<Item> = (a: Item, b: Item) => number;

/**
 * Which of two matches of HTTPRoutes comes first: Exact paths, then regular expressions (whose place Gateway API leaves open),
 * then the longest PathPrefix; a method; most headers; most query parameters; the oldest route; the first by
 * `namespace/name`; the first in the route.
 */
export const byHttpPrecedence: Order<MatchPlace<HttpMatch>> = (a, b) =>
  pathRank(b.match.path) - pathRank(a.match.path) ||
  pathLength(b.match.path) - pathLength(a.match.path) ||
  Number(b.match.method !== undefined) - Number(a.match.method !== undefined) ||
  b.match.headers.length - a.match.headers.length ||
  b.match.queryParams.length - a.match.queryParams.length ||
  byAgeAndOrder(a, b);

/** The same of GRPCRoutes: most characters of the service, then of the method; most headers; age, name and order. */
export const byGrpcPrecedence: Order<MatchPlace<GrpcMatch>> = (a, b) =>
  (b.match.service?.value.length ?? 0) - (a.match.service?.value.length ?? 0) ||
  (b.match.method?.value.length ?? 0) - (a.match.method?.value.length ?? 0) ||
  b.match.headers.length - a.match.headers.length ||
  byAgeAndOrder(a, b);

const pathRank = ({ kind }: PathMatch): number => ["prefix", "regex", "exact"].indexOf(kind);

/** Only one Exact path can match a request, so that its length says nothing. */
const pathLength = ({ kind, value }: PathMatch): number => {
  if (kind === "exact") return 0;
  return kind === "prefix" ? normalPrefix(value).length : value.length;
};

const byAgeAndOrder: Order<MatchPlace<unknown>> = (a, b) =>
  byNumber(a.route.createdMs, b.route.createdMs) ||
  byText(`${a.route.namespace}/${a.route.name}`, `${b.route.namespace}/${b.route.name}`) ||
  a.ruleIndex - b.ruleIndex ||
  a.matchIndex - b.matchIndex;

/** Not a difference: that of two infinities is no number. */
const byNumber: Order<number> = (a, b) => (a === b ? 0 : a < b ? -1 : 1);

const byText: Order<string> = (a, b) => (a === b ? 0 : a < b ? -1 : 1);
