import { type Cidr, cidrContains } from "../cidr.ts";
import type { IpAddress } from "../ip-address.ts";
import { identityOf, type SpiffeId } from "../spiffe-id.ts";
import type { StringMatch } from "./string-match.ts";
import { matchesString } from "./string-match.ts";

/**
 * An L4 policy as it is enforced: rules OR, clauses of a rule AND, matches of a clause OR, fields of a match AND, values of
 * a field OR (istio.security.Authorization).
 */
export interface Authorization {
  readonly namespace: string;
  readonly name: string;
  /** Whom it concerns: everybody, every workload of its namespace, or the workloads that name it. */
  readonly scope: "global" | "namespace" | "selector";
  readonly action: "allow" | "deny";
  /** Evaluated and reported, never enforced. */
  readonly dryRun: boolean;
  readonly rules: readonly Rule[];
}

/** A list of clauses that must all hold. No clause: always. */
export type Rule = readonly Clause[];
/** A list of matches of which one must hold. No match: always. */
export type Clause = readonly Match[];

export interface Match {
  readonly namespaces?: Condition<StringMatch>;
  readonly principals?: Condition<StringMatch>;
  readonly serviceAccounts?: Condition<ServiceAccount>;
  readonly sourceIps?: Condition<Cidr>;
  readonly destinationIps?: Condition<Cidr>;
  readonly destinationPorts?: Condition<number>;
}

/** One of `include` (where it has any), and none of `exclude`. */
export interface Condition<Value> {
  readonly include: readonly Value[];
  readonly exclude: readonly Value[];
}

export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
}

/** What is known of a connection when it is judged. */
export interface ConnectionFacts {
  /** From the verified certificate; undefined for plaintext. */
  readonly identity: SpiffeId | undefined;
  readonly sourceIp: IpAddress;
  readonly destinationIp: IpAddress;
  readonly destinationPort: number;
}

declare const permit: unique symbol;
/** The proof that a connection was allowed, and by what. Only {@link authorize} makes one. */
export interface Permit {
  readonly [permit]: true;
  /** `namespace/name` of the policy that allowed it; undefined where no policy says anything. */
  readonly policy: string | undefined;
}

/** What {@link authorize} says: a permit, or the policy that stood in the way. */
export type Verdict =
  | { readonly kind: "allowed"; readonly permit: Permit }
  | { readonly kind: "denied"; readonly policy: string }
  | { readonly kind: "not-allowed"; readonly policies: readonly string[] };

/**
 * Judges a connection by the policies that concern its destination. Any DENY that matches denies; with no ALLOW policy
 * everything else passes; with one, only what an ALLOW matches (Istio's order of evaluation).
 */
export const authorize = (policies: readonly Authorization[], facts: ConnectionFacts): Verdict => {
  if (policies.length === 0) return ALLOWED;
  const enforced = policies.filter((policy) => !policy.dryRun);
  const denial = enforced.find((policy) => policy.action === "deny" && policyMatches(policy, facts));
  if (denial) return { kind: "denied", policy: policyName(denial) };
  const allows = enforced.filter((policy) => policy.action === "allow");
  const allowance = allows.find((policy) => policyMatches(policy, facts));
  if (allows.length > 0 && !allowance) return { kind: "not-allowed", policies: allows.map(policyName) };
  return { kind: "allowed", permit: { policy: allowance && policyName(allowance) } as Permit };
};

const ALLOWED: Verdict = { kind: "allowed", permit: { policy: undefined } as Permit };

/** `namespace/name`, the key of a policy. */
export const policyName = (policy: Authorization): string => `${policy.namespace}/${policy.name}`;

/** Whether one of the policy's rules matches. A policy without rules never does. */
export const policyMatches = (policy: Authorization, facts: ConnectionFacts): boolean =>
  policy.rules.some((rule) => rule.every((clause) => clauseMatches(clause, facts)));

const clauseMatches = (clause: Clause, facts: ConnectionFacts): boolean =>
  clause.length === 0 || clause.some((match) => matchMatches(match, facts));

/** A match without a single field never matches: it is more likely a mistake than a wish for everything. */
const matchMatches = (match: Match, facts: ConnectionFacts): boolean => {
  const results = [
    match.namespaces && holds(match.namespaces, (value) => matchesNamespace(value, facts)),
    match.principals && holds(match.principals, (value) => matchesPrincipal(value, facts)),
    match.serviceAccounts && holds(match.serviceAccounts, (value) => isServiceAccount(value, facts)),
    match.sourceIps && holds(match.sourceIps, (range) => cidrContains(range, facts.sourceIp)),
    match.destinationIps && holds(match.destinationIps, (range) => cidrContains(range, facts.destinationIp)),
    match.destinationPorts && holds(match.destinationPorts, (port) => port === facts.destinationPort),
  ].filter((result) => result !== undefined);
  return results.length > 0 && results.every(Boolean);
};

const holds = <Value>({ include, exclude }: Condition<Value>, test: (value: Value) => boolean): boolean =>
  (include.length === 0 || include.some(test)) && !exclude.some(test);

/** Without an identity no value matches, so that "none of these" does: plaintext passes notPrincipals. */
const matchesPrincipal = (value: StringMatch, { identity }: ConnectionFacts): boolean =>
  identity !== undefined && matchesString(value, identity.slice("spiffe://".length));

const matchesNamespace = (value: StringMatch, { identity }: ConnectionFacts): boolean =>
  identity !== undefined && matchesString(value, identityOf(identity).namespace);

const isServiceAccount = (wanted: ServiceAccount, { identity }: ConnectionFacts): boolean => {
  if (identity === undefined) return false;
  const { namespace, serviceAccount } = identityOf(identity);
  return namespace === wanted.namespace && serviceAccount === wanted.name;
};
