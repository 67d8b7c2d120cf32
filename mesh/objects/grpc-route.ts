import type { GrpcMatch, TextMatch } from "../routes/route.ts";
import { type ParentReference, parentReferences, routeMetadata, type RouteMetadata } from "./gateway-reference.ts";
import { headerMatches } from "./http-route-match.ts";
import { object, optional, type Problem, type Reader, required, strictObject } from "./reader.ts";
import { GRPC_FILTERS, routeFilters } from "./route-filter.ts";
import {
  checkMatchCount,
  checkRuleNames,
  MAX_MATCHES,
  MAX_RULES,
  NO_TIMEOUTS,
  type RuleObject,
  ruleName,
  sessionFields,
  weightedBackends,
} from "./route-rule.ts";
import { sessionPersistence } from "./session-persistence.ts";
import { boundedList, boundedText, checkRegex, hostname, knownWord } from "./route-text.ts";

/** Gateway API's GRPCRoute (v1). It has neither timeouts nor retries. */
export interface GrpcRouteObject {
  readonly kind: "GRPCRoute";
  readonly metadata: RouteMetadata;
  readonly parents: readonly ParentReference[];
  /** Without a meaning where the parent is a Service (GEP-1294). */
  readonly hostnames: readonly string[];
  readonly rules: readonly GrpcRuleObject[];
}

export type GrpcRuleObject = RuleObject<GrpcMatch>;

const EVERY_CALL: GrpcMatch = { service: undefined, method: undefined, headers: [] };

type RpcMatch = Pick<GrpcMatch, "service" | "method">;

const rpcMatch =
  (unsupported: Problem[]): Reader<RpcMatch> =>
  (value, path, problems) => {
    const read = strictObject({
      type: optional(knownWord(unsupported, "Exact", "RegularExpression"), "Exact"),
      service: optional(boundedText(1, 1_024)),
      method: optional(boundedText(1, 1_024)),
    })(value, path, problems);
    if (read.service === undefined && read.method === undefined) {
      problems.push({ path, message: "must have a service or a method" });
    }
    const kind = read.type === "Exact" ? "exact" : "regex";
    const part = (name: "service" | "method"): TextMatch | undefined => {
      const value = read[name];
      if (value === undefined) return undefined;
      if (kind === "regex") checkRegex(value, `${path}.${name}`, unsupported);
      else if (!FORM[name].test(value)) problems.push({ path: `${path}.${name}`, message: `is not a ${name} of gRPC` });
      return { kind, value };
    };
    return { service: part("service"), method: part("method") };
  };

/** As in the CRD: names of protocol buffers. */
const FORM = {
  service: /^[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)*$/,
  method: /^[A-Za-z_][A-Za-z_0-9]*$/,
} as const;

const match =
  (unsupported: Problem[]): Reader<GrpcMatch> =>
  (value, path, problems) => {
    const read = strictObject({
      method: optional(rpcMatch(unsupported), EVERY_CALL),
      headers: optional(headerMatches(unsupported), []),
    })(value, path, problems);
    return { service: read.method.service, method: read.method.method, headers: read.headers };
  };

const rule: Reader<GrpcRuleObject> = (value, path, problems) => {
  const unsupportedMatches: Problem[] = [];
  const unsupportedFilters: Problem[] = [];
  const ignored: Problem[] = [];
  const { backendRefs, matches, ...rest } = strictObject({
    name: ruleName,
    matches: optional(boundedList(match(unsupportedMatches), 0, MAX_MATCHES), []),
    filters: optional(routeFilters(GRPC_FILTERS, unsupportedFilters), []),
    backendRefs: optional(weightedBackends(GRPC_FILTERS, unsupportedFilters), []),
    sessionPersistence: optional(sessionPersistence(ignored)),
  })(value, path, problems);
  return {
    ...rest,
    index: 0,
    matches: matches.length === 0 ? [EVERY_CALL] : matches,
    backends: backendRefs,
    timeouts: NO_TIMEOUTS,
    retry: undefined,
    unsupportedMatches,
    unsupportedFilters,
    ...sessionFields(rest.sessionPersistence, ignored),
  };
};

const rules: Reader<readonly GrpcRuleObject[]> = (value, path, problems) => {
  const read = boundedList(rule, 0, MAX_RULES)(value, path, problems);
  checkRuleNames(read, path, problems);
  checkMatchCount(read, path, problems);
  return read.map((each, index) => ({ ...each, index }));
};

const spec = strictObject({
  parentRefs: optional(parentReferences, []),
  hostnames: optional(boundedList(hostname, 0, 16), []),
  rules: optional(rules, []),
  useDefaultGateways: optional(knownWord([], "All", "None")),
});

export const grpcRouteObject: Reader<GrpcRouteObject> = (value, path, problems) => {
  const read = object({ metadata: required(routeMetadata), spec: required(spec) })(value, path, problems);
  const { parentRefs, hostnames, rules } = read.spec;
  return { kind: "GRPCRoute", metadata: read.metadata, parents: parentRefs, hostnames, rules };
};
