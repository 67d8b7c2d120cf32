import { chooseBackend } from "./choose-backend.ts";
import type { CompiledPath } from "./compiled-match.ts";
import type { Field } from "./field.ts";
import { corsResponseFields, isPreflight, preflightFields } from "./filters/cors.ts";
import { modifyHeaders } from "./filters/header-modifier.ts";
import { modifyPath } from "./filters/path-modifier.ts";
import { redirectLocation } from "./filters/request-redirect.ts";
import { isGrpc, MatchedRequest, type RequestFacts } from "./request-facts.ts";
import type {
  BackendTarget,
  RedirectStatus,
  RouteFilter,
  RouteRetry,
  RouteTimeouts,
  SessionPersistence,
  WeightedBackend,
} from "./route.ts";
import type { RouteEntry } from "./route-matcher.ts";
import { type ChosenRoutes, routesFor, type RouteTable } from "./route-table.ts";

/** What is to be done with a request to a Service. */
export type RouteDecision =
  /** No route holds for the client: the Service is served as without routes. */
  | { readonly kind: "unrouted" }
  | ForwardDecision
  | {
      readonly kind: "redirect";
      readonly rule: MatchedRule;
      readonly status: RedirectStatus;
      readonly location: string;
      readonly responseFilters: readonly RouteFilter[];
    }
  /** The answer to a preflight of CORS. */
  | { readonly kind: "respond"; readonly rule: MatchedRule; readonly status: 204; readonly fields: readonly Field[] }
  /** No rule matches: 404; for gRPC UNIMPLEMENTED. */
  | { readonly kind: "not-found"; readonly protocol: ErrorProtocol }
  /** For gRPC UNAVAILABLE. */
  | {
      readonly kind: "error";
      readonly rule: MatchedRule;
      readonly protocol: ErrorProtocol;
      readonly status: 500 | 503;
      readonly reason: string;
    };

export interface ForwardDecision {
  readonly kind: "forward";
  readonly rule: MatchedRule;
  readonly backend: ServiceTarget;
  readonly request: ForwardedRequest;
  /** In the order that they are to be applied in, with {@link applyResponseFilters}. */
  readonly responseFilters: readonly RouteFilter[];
  /** Who gets a copy of the request; of each exactly one endpoint, whose response is ignored. */
  readonly mirrors: readonly ServiceTarget[];
  readonly timeouts: RouteTimeouts;
  readonly retry: RouteRetry | undefined;
  /** Of the rule; a policy of the backend may have one for all. */
  readonly sessionPersistence: SessionPersistence | undefined;
}

/** The backend that the session of a request is at, among those of a rule; undefined: it has none, and weights decide. */
export type PinBackend = (
  rule: MatchedRule,
  session: SessionPersistence,
  backends: readonly WeightedBackend[],
) => WeightedBackend | undefined;

export type ServiceTarget = BackendTarget & { readonly kind: "service" };

/** How an error has to be told: by a status, or by trailers of gRPC. */
export type ErrorProtocol = "http" | "grpc";

/** The rule that a decision follows, and which of its matches. */
export interface MatchedRule {
  readonly route: { readonly namespace: string; readonly name: string };
  readonly ruleIndex: number;
  readonly ruleName: string | undefined;
  readonly matchIndex: number;
}

/** A request as the backend gets it. */
export interface ForwardedRequest {
  readonly authority: string;
  readonly target: string;
  readonly fields: readonly Field[];
}

/**
 * Decides what becomes of a request, from the routes that hold for its client at the Service and port that it called.
 * @param random gives a number in [0, 1): the first is for the backend, further ones for mirrors
 * @param pin finds the backend that the request's session is at
 */
export const decideHttpRoute = (
  table: RouteTable,
  facts: RequestFacts,
  random: () => number,
  pin?: PinBackend,
): RouteDecision => {
  const chosen = routesFor(table, facts.service, facts.port, facts.sourceNamespace);
  return chosen ? decideByRoutes(chosen, facts, random, pin) : { kind: "unrouted" };
};

/** The same for whoever has looked up already which routes hold. */
export const decideByRoutes = (
  { matcher }: ChosenRoutes,
  facts: RequestFacts,
  random: () => number,
  pin?: PinBackend,
): Exclude<RouteDecision, { kind: "unrouted" }> => {
  const entry = matcher.find(new MatchedRequest(facts));
  return entry ? followRule(entry, facts, random, pin) : { kind: "not-found", protocol: protocolOf(facts) };
};

/** What a rule does with a request that one of its matches holds. */
export const followRule = (
  entry: RouteEntry,
  facts: RequestFacts,
  random: () => number,
  pin?: PinBackend,
): Exclude<RouteDecision, { kind: "unrouted" }> => {
  const { filters, backends, timeouts, retry, sessionPersistence } = entry.rule;
  const rule = matchedRules.getOrInsertComputed(entry, matchedRule);
  for (const filter of filters) if (filter.kind === "unavailable") return refusal(rule, facts, 500, filter.reason);
  for (const filter of filters) {
    if (filter.kind === "cors" && isPreflight(facts)) {
      return { kind: "respond", rule, status: 204, fields: preflightFields(filter, facts) };
    }
    if (filter.kind === "request-redirect") {
      const location = redirectLocation(filter, facts, entry.match.path);
      return { kind: "redirect", rule, status: filter.statusCode, location, responseFilters: ofResponses(filters) };
    }
  }
  const pinned = sessionPersistence && pin?.(rule, sessionPersistence, backends);
  const choice = chooseBackend(pinned ? [{ ...pinned, weight: 1 }] : backends, random());
  if (choice.kind === "error") return refusal(rule, facts, choice.status, choice.reason);
  const own = choice.backend.filters;
  for (const filter of own) {
    if (filter.kind === "unavailable") return refusal(rule, facts, 500, filter.reason);
    if (filter.kind === "request-redirect") return refusal(rule, facts, 500, "a backend cannot redirect");
  }
  const all = own.length === 0 ? filters : [...filters, ...own];
  return {
    kind: "forward",
    rule,
    backend: choice.target,
    request: applyRequestFilters(all, facts, entry.match.path),
    responseFilters: ofResponses(all),
    mirrors: chooseMirrors(all, random),
    timeouts,
    retry,
    sessionPersistence,
  };
};

const refusal = (
  rule: MatchedRule,
  facts: RequestFacts,
  status: 500 | 503,
  reason: string,
): Extract<RouteDecision, { kind: "error" }> => ({ kind: "error", rule, protocol: protocolOf(facts), status, reason });

/** The request with all its filters applied, in their order. */
export const applyRequestFilters = (
  filters: readonly RouteFilter[],
  request: ForwardedRequest,
  matched: CompiledPath,
): ForwardedRequest => {
  if (filters.length === 0) return request;
  let { authority, target, fields } = request;
  for (const filter of filters) {
    if (filter.kind === "request-header-modifier") fields = modifyHeaders(filter, fields);
    if (filter.kind !== "url-rewrite") continue;
    target = modifyPath(filter.path, target, matched);
    authority = filter.hostname ?? authority;
  }
  return { authority, target, fields };
};

/** A response's fields with the filters of the decision applied. @param facts of the request that it answers */
export const applyResponseFilters = (
  filters: readonly RouteFilter[],
  facts: Pick<RequestFacts, "method" | "fields">,
  fields: readonly Field[],
): readonly Field[] => {
  let result = fields;
  for (const filter of filters) {
    if (filter.kind === "response-header-modifier") result = modifyHeaders(filter, result);
    else if (filter.kind === "cors") result = corsResponseFields(filter, facts, result);
  }
  return result;
};

const ofResponses = (filters: readonly RouteFilter[]): readonly RouteFilter[] =>
  filters.length === 0 ? filters : filters.filter(({ kind }) => kind === "response-header-modifier" || kind === "cors");

/** Each mirror has its own share; one that leads nowhere gets no copy, and the request goes on. */
const chooseMirrors = (filters: readonly RouteFilter[], random: () => number): readonly ServiceTarget[] =>
  filters.length === 0
    ? NO_MIRRORS
    : filters.flatMap((filter) => {
        if (filter.kind !== "request-mirror" || filter.target.kind === "invalid") return [];
        const { numerator, denominator } = filter.share;
        return numerator >= denominator || random() * denominator < numerator ? [filter.target] : [];
      });

const NO_MIRRORS: readonly ServiceTarget[] = [];

const protocolOf = (facts: RequestFacts): ErrorProtocol => (isGrpc(facts) ? "grpc" : "http");

/** Entries stay as long as the routes do, and metrics are found by what names their rule. */
const matchedRules = new WeakMap<RouteEntry, MatchedRule>();

const matchedRule = ({ route, rule, matchIndex }: RouteEntry): MatchedRule => ({
  route: { namespace: route.namespace, name: route.name },
  ruleIndex: rule.index,
  ruleName: rule.name,
  matchIndex,
});
