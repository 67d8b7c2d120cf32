import type { HttpMatch } from "../routes/route.ts";
import { type ParentReference, parentReferences, routeMetadata, type RouteMetadata } from "./gateway-reference.ts";
import { EVERY_REQUEST, httpRouteMatch } from "./http-route-match.ts";
import { object, optional, type Problem, type Reader, required, strictObject } from "./reader.ts";
import { HTTP_FILTERS, routeFilters } from "./route-filter.ts";
import {
  checkMatchCount,
  checkRuleNames,
  MAX_MATCHES,
  MAX_RULES,
  NO_TIMEOUTS,
  routeRetry,
  routeTimeouts,
  type RuleObject,
  ruleName,
  sessionFields,
  weightedBackends,
} from "./route-rule.ts";
import { sessionPersistence } from "./session-persistence.ts";
import { boundedList, hostname, knownWord } from "./route-text.ts";

/** Gateway API's HTTPRoute (v1, and v1beta1 with the same fields), experimental fields included. */
export interface HttpRouteObject {
  readonly kind: "HTTPRoute";
  readonly metadata: RouteMetadata;
  readonly parents: readonly ParentReference[];
  /** Without a meaning where the parent is a Service (GEP-1294). */
  readonly hostnames: readonly string[];
  readonly rules: readonly HttpRuleObject[];
}

export type HttpRuleObject = RuleObject<HttpMatch>;

/** What an empty list of rules stands for: every request, and nowhere to send it. */
const DEFAULT_RULE: HttpRuleObject = {
  index: 0,
  name: undefined,
  matches: [EVERY_REQUEST],
  filters: [],
  backends: [],
  timeouts: NO_TIMEOUTS,
  retry: undefined,
  sessionPersistence: undefined,
  unsupportedMatches: [],
  unsupportedFilters: [],
  ignored: [],
};

const rule: Reader<HttpRuleObject> = (value, path, problems) => {
  const unsupportedMatches: Problem[] = [];
  const unsupportedFilters: Problem[] = [];
  const ignored: Problem[] = [];
  const read = strictObject({
    name: ruleName,
    matches: optional(boundedList(httpRouteMatch(unsupportedMatches), 0, MAX_MATCHES), []),
    filters: optional(routeFilters(HTTP_FILTERS, unsupportedFilters), []),
    backendRefs: optional(weightedBackends(HTTP_FILTERS, unsupportedFilters), []),
    timeouts: optional(routeTimeouts, NO_TIMEOUTS),
    retry: optional(routeRetry),
    sessionPersistence: optional(sessionPersistence(ignored)),
  })(value, path, problems);
  const { backendRefs, matches, ...rest } = read;
  const found: HttpRuleObject = {
    ...rest,
    index: 0,
    matches: matches.length === 0 ? [EVERY_REQUEST] : matches,
    backends: backendRefs,
    unsupportedMatches,
    unsupportedFilters,
    ...sessionFields(read.sessionPersistence, ignored),
  };
  checkRule(found, path, problems);
  return found;
};

const checkRule = (rule: HttpRuleObject, path: string, problems: Problem[]): void => {
  if (rule.backends.length > 0 && rule.filters.some(({ kind }) => kind === "request-redirect")) {
    problems.push({ path: `${path}.backendRefs`, message: "must be empty beside RequestRedirect" });
  }
  const [first] = rule.matches;
  if (rule.matches.length === 1 && first?.path.kind === "prefix") return;
  const lists = [
    { filters: rule.filters, at: `${path}.filters` },
    ...rule.backends.map(({ filters }, index) => ({ filters, at: `${path}.backendRefs[${index}].filters` })),
  ];
  for (const { filters, at } of lists) {
    for (const [index, filter] of filters.entries()) {
      if ((filter.kind === "url-rewrite" || filter.kind === "request-redirect") && filter.path?.kind === "prefix") {
        problems.push({
          path: `${at}[${index}]`,
          message: "ReplacePrefixMatch needs exactly one match of type PathPrefix in its rule",
        });
      }
    }
  }
};

const rules: Reader<readonly HttpRuleObject[]> = (value, path, problems) => {
  const read = boundedList(rule, 1, MAX_RULES)(value, path, problems);
  checkRuleNames(read, path, problems);
  checkMatchCount(read, path, problems);
  return read.map((each, index) => ({ ...each, index }));
};

const spec = strictObject({
  parentRefs: optional(parentReferences, []),
  hostnames: optional(boundedList(hostname, 0, 16), []),
  rules: optional(rules, [DEFAULT_RULE]),
  useDefaultGateways: optional(knownWord([], "All", "None")),
});

export const httpRouteObject: Reader<HttpRouteObject> = (value, path, problems) => {
  const read = object({ metadata: required(routeMetadata), spec: required(spec) })(value, path, problems);
  const { parentRefs, hostnames, rules } = read.spec;
  return { kind: "HTTPRoute", metadata: read.metadata, parents: parentRefs, hostnames, rules };
};
