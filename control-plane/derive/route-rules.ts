import type { BackendReference } from "#mesh/objects/gateway-reference.ts";
import type { Problem } from "#mesh/objects/reader.ts";
import type { RuleObject } from "#mesh/objects/route-rule.ts";
import type { Result } from "#mesh/result.ts";
import type { BackendTarget, Route, RouteFilter, RouteRule } from "#mesh/routes/route.ts";
import { createdMs } from "./creation-time.ts";
import type { UnresolvedReference } from "./route-backends.ts";
import type { RouteObject } from "./route-references.ts";

/** Finds where a backendRef leads. */
export type ResolveBackend = (reference: BackendReference) => Result<BackendTarget, UnresolvedReference>;

/** What can be done of a route. */
export interface RouteValidity {
  /** Rules that are left out, because what they match cannot be told. */
  readonly dropped: readonly Problem[];
  /** Rules that answer with an error, because a filter of theirs cannot be applied. */
  readonly refusing: readonly Problem[];
  /** Whether anything is left that does what it says. */
  readonly isUsable: boolean;
}

export const routeValidity = ({ rules }: Pick<RouteObject, "rules">): RouteValidity => ({
  dropped: rules.flatMap(({ unsupportedMatches }) => unsupportedMatches.slice(0, 1)),
  refusing: rules.flatMap((rule) => (isDropped(rule) ? [] : rule.unsupportedFilters.slice(0, 1))),
  isUsable: rules.length === 0 || rules.some((rule) => !isDropped(rule) && rule.unsupportedFilters.length === 0),
});

/** A route as a proxy needs it. */
export const routeModel = <Match>(
  { metadata, rules }: { readonly metadata: RouteObject["metadata"]; readonly rules: readonly RuleObject<Match>[] },
  resolve: ResolveBackend,
): Route<Match> => ({
  namespace: metadata.namespace,
  name: metadata.name,
  createdMs: createdMs(metadata),
  rules: rules.filter((rule) => !isDropped(rule)).map((rule) => ruleModel(rule, resolve)),
});

const isDropped = ({ unsupportedMatches }: RuleObject<unknown>): boolean => unsupportedMatches.length > 0;

const ruleModel = <Match>(rule: RuleObject<Match>, resolve: ResolveBackend): RouteRule<Match> => {
  const target = (reference: BackendReference): BackendTarget => {
    const found = resolve(reference);
    return found.ok ? found.value : { kind: "invalid", reason: found.error.message };
  };
  const filter = (given: RouteFilter<BackendReference>): RouteFilter =>
    given.kind === "request-mirror" ? { ...given, target: target(given.target) } : given;
  return {
    index: rule.index,
    name: rule.name,
    matches: rule.matches,
    filters: rule.filters.map(filter),
    backends: rule.backends.map((backend) => ({
      weight: backend.weight,
      filters: backend.filters.map(filter),
      target: target(backend.target),
    })),
    timeouts: rule.timeouts,
    retry: rule.retry,
    sessionPersistence: rule.sessionPersistence,
  };
};

/** Everything of a route that leads nowhere: backends, mirrors, and filters that somebody else would have to have. */
export const unresolvedReferences = (route: RouteObject, resolve: ResolveBackend): readonly UnresolvedReference[] =>
  route.rules.flatMap(({ filters, backends }) => [
    ...filters.flatMap((filter) => unresolvedFilter(filter, resolve)),
    ...backends.flatMap((backend) => [
      ...unresolved(resolve(backend.target)),
      ...backend.filters.flatMap((filter) => unresolvedFilter(filter, resolve)),
    ]),
  ]);

const unresolvedFilter = (
  filter: RouteFilter<BackendReference>,
  resolve: ResolveBackend,
): readonly UnresolvedReference[] => {
  if (filter.kind === "request-mirror") return unresolved(resolve(filter.target));
  return filter.kind === "unavailable" && filter.cause === "unresolved"
    ? [{ reason: "InvalidKind", message: `${filter.reason}: requests are answered with 500` }]
    : [];
};

const unresolved = (found: ReturnType<ResolveBackend>): readonly UnresolvedReference[] =>
  found.ok ? [] : [found.error];
