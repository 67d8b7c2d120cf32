import type { RouteRetry, RouteRule, RouteTimeouts, SessionPersistence } from "../routes/route.ts";
import { type BackendReference, backendReferenceFields, requireServicePort } from "./gateway-reference.ts";
import { integer, optional, parsed, type Problem, type Reader, strictObject } from "./reader.ts";
import { type FilterObject, routeFilters } from "./route-filter.ts";
import { boundedList, duration } from "./route-text.ts";
import { parseDnsSubdomain } from "./metadata.ts";

/** A rule as it stands in an object. */
export interface RuleObject<Match> extends RouteRule<Match, BackendReference> {
  /** What is in order and the mesh cannot do, so that the rule cannot be applied at all. */
  readonly unsupportedMatches: readonly Problem[];
  /** The same of its filters: requests that the rule is for are answered with an error. */
  readonly unsupportedFilters: readonly Problem[];
  /** Fields that are not known in what they say, and have no effect. */
  readonly ignored: readonly string[];
}

export const ruleName = optional(parsed(parseDnsSubdomain));

export const NO_TIMEOUTS: RouteTimeouts = { requestMs: undefined, backendRequestMs: undefined };

const MAX_WEIGHT = 1_000_000;

/** A backend with its share and its own filters. */
const weightedBackend =
  (types: ReadonlySet<string>, unsupported: Problem[]): Reader<RuleObject<never>["backends"][number]> =>
  (value, path, problems) => {
    const { weight, filters, ...target } = strictObject({
      ...backendReferenceFields,
      weight: optional(integer(0, MAX_WEIGHT), 1),
      filters: optional(routeFilters(types, unsupported), [] as readonly FilterObject[]),
    })(value, path, problems);
    requireServicePort(target, path, problems);
    return { weight, filters, target };
  };

export const weightedBackends = (types: ReadonlySet<string>, unsupported: Problem[]) =>
  boundedList(weightedBackend(types, unsupported), 0, 16);

export const routeTimeouts: Reader<RouteTimeouts> = (value, path, problems) => {
  const { request, backendRequest } = strictObject({ request: optional(duration), backendRequest: optional(duration) })(
    value,
    path,
    problems,
  );
  if (request !== undefined && request > 0 && backendRequest !== undefined && backendRequest > request) {
    problems.push({ path: `${path}.backendRequest`, message: "must not be longer than request" });
  }
  return { requestMs: request, backendRequestMs: backendRequest };
};

export const routeRetry: Reader<RouteRetry> = (value, path, problems) => {
  const { codes, attempts, backoff } = strictObject({
    codes: optional(boundedList(integer(400, 599), 0, 200), []),
    attempts: optional(integer(1, 1_000_000), 1),
    backoff: optional(duration),
  })(value, path, problems);
  if (new Set(codes).size < codes.length) problems.push({ path: `${path}.codes`, message: "has a code twice" });
  return { codes, attempts, backoffMs: backoff };
};

/** A session persistence of which something is not known is none, and what that is is said. */
export const sessionFields = (
  session: SessionPersistence | undefined,
  unknown: readonly Problem[],
): Pick<RuleObject<never>, "sessionPersistence" | "ignored"> => ({
  sessionPersistence: unknown.length === 0 ? session : undefined,
  ignored: unknown.map(({ path }) => path.replace(/^.*?(?=sessionPersistence)/, "")),
});

/** Names of rules tell them apart. */
export const checkRuleNames = (rules: readonly RuleObject<unknown>[], path: string, problems: Problem[]): void => {
  const names = rules.map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    if (name !== undefined && names.indexOf(name) < index) {
      problems.push({ path: `${path}[${index}].name`, message: `${name} is there twice` });
    }
  }
};

export const MAX_RULES = 16;
export const MAX_MATCHES = 64;
/** Of all rules of an object together. */
export const MAX_ALL_MATCHES = 128;

export const checkMatchCount = (rules: readonly RuleObject<unknown>[], path: string, problems: Problem[]): void => {
  const count = rules.reduce((sum, { matches }) => sum + matches.length, 0);
  if (count > MAX_ALL_MATCHES)
    problems.push({ path, message: `have ${count} matches and may have ${MAX_ALL_MATCHES}` });
};
