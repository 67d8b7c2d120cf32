import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  Action,
  type AddressSchema,
  AuthorizationSchema,
  type MatchSchema,
  type RuleSchema,
  Scope,
  type StringMatchSchema,
} from "#api/gen/istio/security/authorization_pb.js";
import { assertNever } from "#mesh/assert-never.ts";
import type { Cidr } from "#mesh/cidr.ts";
import { ipAddressToBytes } from "#mesh/ip-address.ts";
import { type Authorization, type Condition, type Match, policyName, type Rule } from "#mesh/policies/authorization.ts";
import type { StringMatch } from "#mesh/policies/string-match.ts";
import { type Resource, resourceOf } from "./resource.ts";

const SCOPES: Readonly<Record<Authorization["scope"], Scope>> = {
  global: Scope.GLOBAL,
  namespace: Scope.NAMESPACE,
  selector: Scope.WORKLOAD_SELECTOR,
};

/** A policy as `istio.security.Authorization`. */
export const encodeAuthorization = (policy: Authorization): Resource => {
  const message = create(AuthorizationSchema, {
    name: policy.name,
    namespace: policy.namespace,
    scope: SCOPES[policy.scope],
    action: policy.action === "allow" ? Action.ALLOW : Action.DENY,
    dryRun: policy.dryRun,
    rules: policy.rules.map(encodeRule),
  });
  return resourceOf(policyName(policy), [], toBinary(AuthorizationSchema, message));
};

const encodeRule = (rule: Rule): MessageInitShape<typeof RuleSchema> => ({
  clauses: rule.map((clause) => ({ matches: clause.map(encodeMatch) })),
});

const encodeMatch = (match: Match): MessageInitShape<typeof MatchSchema> => {
  const namespaces = encodeCondition(match.namespaces, encodeString);
  const principals = encodeCondition(match.principals, encodeString);
  const sourceIps = encodeCondition(match.sourceIps, encodeCidr);
  const destinationIps = encodeCondition(match.destinationIps, encodeCidr);
  const ports = encodeCondition(match.destinationPorts, (port) => port);
  const accounts = encodeCondition(match.serviceAccounts, ({ namespace, name }) => ({
    namespace,
    serviceAccount: name,
  }));
  return {
    namespaces: namespaces.include,
    notNamespaces: namespaces.exclude,
    principals: principals.include,
    notPrincipals: principals.exclude,
    sourceIps: sourceIps.include,
    notSourceIps: sourceIps.exclude,
    destinationIps: destinationIps.include,
    notDestinationIps: destinationIps.exclude,
    destinationPorts: ports.include,
    notDestinationPorts: ports.exclude,
    serviceAccounts: accounts.include,
    notServiceAccounts: accounts.exclude,
  };
};

const encodeCondition = <Value, Encoded>(
  condition: Condition<Value> | undefined,
  encode: (value: Value) => Encoded,
) => ({
  include: (condition?.include ?? []).map(encode),
  exclude: (condition?.exclude ?? []).map(encode),
});

const encodeString = (match: StringMatch): MessageInitShape<typeof StringMatchSchema> => {
  switch (match.kind) {
    case "exact":
    case "prefix":
    case "suffix":
      return { matchType: { case: match.kind, value: match.value } };
    case "presence":
      return { matchType: { case: "presence", value: {} } };
    default:
      return assertNever(match);
  }
};

const encodeCidr = ({ address, prefixLength }: Cidr): MessageInitShape<typeof AddressSchema> => ({
  address: ipAddressToBytes(address),
  length: prefixLength,
});
