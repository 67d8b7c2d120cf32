import { fromBinary, type Message } from "@bufbuild/protobuf";
import {
  Action,
  type Address as ProtoAddress,
  type Authorization as ProtoAuthorization,
  AuthorizationSchema,
  type Match as ProtoMatch,
  Scope,
  type ServiceAccountMatch,
  type StringMatch as ProtoStringMatch,
} from "#api/gen/istio/security/authorization_pb.js";
import { cidr, type Cidr } from "#mesh/cidr.ts";
import { ipAddressFromBytes } from "#mesh/ip-address.ts";
import type { Authorization, Condition, Match, ServiceAccount } from "#mesh/policies/authorization.ts";
import type { StringMatch } from "#mesh/policies/string-match.ts";
import { err, ok, type Result } from "#mesh/result.ts";

const SCOPES: Readonly<Record<Scope, Authorization["scope"]>> = {
  [Scope.GLOBAL]: "global",
  [Scope.NAMESPACE]: "namespace",
  [Scope.WORKLOAD_SELECTOR]: "selector",
};

const ACTIONS: Readonly<Record<Action, Authorization["action"]>> = {
  [Action.ALLOW]: "allow",
  [Action.DENY]: "deny",
};

/** Problems that are named: the first ones will do. */
const MAX_PROBLEMS = 10;

/**
 * Decodes a policy. What this version does not know is refused as a whole: half a policy may allow what the whole denies.
 * @returns what is wrong with the resource otherwise, to be sent back as a NACK
 */
export const decodeAuthorization = (name: string, bytes: Uint8Array): Result<Authorization, string> => {
  let proto: ProtoAuthorization;
  try {
    proto = fromBinary(AuthorizationSchema, bytes);
  } catch (error) {
    return err(`not an istio.security.Authorization: ${String(error)}`);
  }
  const scope = SCOPES[proto.scope];
  if (scope === undefined) return err(`unknown scope ${proto.scope}`);
  const action = ACTIONS[proto.action];
  if (action === undefined) return err(`unknown action ${proto.action}`);
  if (proto.extensions.length > 0) return err("policy extensions are not supported");
  if (`${proto.namespace}/${proto.name}` !== name) return err("namespace and name are not the resource's name");
  const problems: string[] = [];
  refuseUnknown(proto, "the policy", problems);
  const rules = proto.rules.map((rule) => {
    refuseUnknown(rule, "a rule", problems);
    return rule.clauses.map((clause) => {
      refuseUnknown(clause, "a clause", problems);
      return clause.matches.map((match) => decodeMatch(match, problems));
    });
  });
  if (problems.length > 0) return err(problems.slice(0, MAX_PROBLEMS).join("; "));
  return ok({
    namespace: proto.namespace,
    name: proto.name,
    scope,
    action,
    dryRun: proto.dryRun,
    rules,
  });
};

const decodeMatch = (proto: ProtoMatch, problems: string[]): Match => {
  if (proto.extensions.length > 0) problems.push("match extensions are not supported");
  refuseUnknown(proto, "a match", problems);
  const strings = (values: readonly ProtoStringMatch[]): StringMatch[] =>
    values.map((value) => decodeString(value, problems));
  const ranges = (values: readonly ProtoAddress[]): Cidr[] => values.flatMap((value) => decodeRange(value, problems));
  const accounts = (values: readonly ServiceAccountMatch[]): ServiceAccount[] =>
    values.map((value) => decodeAccount(value, problems));
  const fields = {
    namespaces: condition(strings(proto.namespaces), strings(proto.notNamespaces)),
    principals: condition(strings(proto.principals), strings(proto.notPrincipals)),
    serviceAccounts: condition(accounts(proto.serviceAccounts), accounts(proto.notServiceAccounts)),
    sourceIps: condition(ranges(proto.sourceIps), ranges(proto.notSourceIps)),
    destinationIps: condition(ranges(proto.destinationIps), ranges(proto.notDestinationIps)),
    destinationPorts: condition(proto.destinationPorts, proto.notDestinationPorts),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
};

/** Fields of a later version: whatever they say, without them the policy says something else. */
const refuseUnknown = ({ $unknown }: Message, what: string, problems: string[]): void => {
  if ($unknown?.length) problems.push(`${what} has fields that this version does not know`);
};

/** A field without values is not there at all. */
const condition = <Value>(include: readonly Value[], exclude: readonly Value[]): Condition<Value> | undefined =>
  include.length + exclude.length === 0 ? undefined : { include, exclude };

const decodeString = ({ matchType }: ProtoStringMatch, problems: string[]): StringMatch => {
  if (matchType.case === "presence") return { kind: "presence" };
  if (matchType.case !== undefined) return { kind: matchType.case, value: matchType.value };
  problems.push("a string match of unknown kind");
  return { kind: "exact", value: "" };
};

const decodeAccount = (proto: ServiceAccountMatch, problems: string[]): ServiceAccount => {
  refuseUnknown(proto, "a service account", problems);
  return { namespace: proto.namespace, name: proto.serviceAccount };
};

const decodeRange = (proto: ProtoAddress, problems: string[]): Cidr[] => {
  const { address, length } = proto;
  refuseUnknown(proto, "a range", problems);
  const decoded = ipAddressFromBytes(address);
  const range = decoded.ok ? cidr(decoded.value, length) : decoded;
  if (range.ok) return [range.value];
  problems.push(range.error);
  return [];
};
