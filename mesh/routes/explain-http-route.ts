import type { Mismatch } from "./compiled-match.ts";
import { decideHttpRoute, type MatchedRule, type PinBackend, type RouteDecision } from "./decide-http-route.ts";
import { MatchedRequest, type RequestFacts } from "./request-facts.ts";
import { explainMatches } from "./route-matcher.ts";
import { routesFor, type RouteTable } from "./route-table.ts";

/** Why a request goes where it goes. */
export interface RouteExplanation {
  /** Whose routes hold for the client; undefined: there are none. */
  readonly group: "producer" | "consumer" | undefined;
  /** In the order of precedence. */
  readonly candidates: readonly ExplainedCandidate[];
  readonly decision: RouteDecision;
}

export interface ExplainedCandidate {
  readonly rule: MatchedRule;
  readonly outcome:
    | { readonly kind: "chosen" }
    /** It matches, and another that comes before it matches too. */
    | { readonly kind: "behind" }
    | { readonly kind: "mismatch"; readonly mismatch: Mismatch };
}

/** The decision of {@link decideHttpRoute}, and what was looked at for it. @param random and `pin` as there */
export const explainHttpRoute = (
  table: RouteTable,
  facts: RequestFacts,
  random: () => number,
  pin?: PinBackend,
): RouteExplanation => {
  const decision = decideHttpRoute(table, facts, random, pin);
  const chosen = routesFor(table, facts.service, facts.port, facts.sourceNamespace);
  if (!chosen) return { group: undefined, candidates: [], decision };
  const found = explainMatches(chosen.matcher, new MatchedRequest(facts));
  const first = found.find(({ mismatch }) => !mismatch);
  return {
    group: chosen.group,
    decision,
    candidates: found.map((candidate): ExplainedCandidate => {
      const { entry, mismatch } = candidate;
      const rule = {
        route: { namespace: entry.route.namespace, name: entry.route.name },
        ruleIndex: entry.rule.index,
        ruleName: entry.rule.name,
        matchIndex: entry.matchIndex,
      };
      if (mismatch) return { rule, outcome: { kind: "mismatch", mismatch } };
      return { rule, outcome: { kind: candidate === first ? "chosen" : "behind" } };
    }),
  };
};
