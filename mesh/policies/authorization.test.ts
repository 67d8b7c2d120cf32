import { expect, test } from "vitest";
import { parseCidr } from "../cidr.ts";
import { unwrap } from "../result.ts";
import { ip, spiffe } from "../testing/examples.ts";
import {
  type Authorization,
  authorize,
  type ConnectionFacts,
  type Match,
  policyMatches,
  type Rule,
} from "./authorization.ts";
import type { StringMatch } from "./string-match.ts";

const facts: ConnectionFacts = {
  identity: spiffe("spiffe://cluster.local/ns/shop/sa/front"),
  sourceIp: ip("10.244.1.10"),
  destinationIp: ip("10.244.2.20"),
  destinationPort: 8080,
};
const plaintext: ConnectionFacts = { ...facts, identity: undefined };

const policy = (action: "allow" | "deny", rules: readonly Rule[], name = `${action}-it`): Authorization => ({
  namespace: "shop",
  name,
  scope: "selector",
  action,
  dryRun: false,
  rules,
});

const exact = (value: string): StringMatch => ({ kind: "exact", value });
const including = <Value>(...include: readonly Value[]) => ({ include, exclude: [] });
const excluding = <Value>(...exclude: readonly Value[]) => ({ include: [], exclude });
const everything: Rule = [];
const kind = (policies: readonly Authorization[], about = facts): string => authorize(policies, about).kind;

test("with no policy everything is allowed", () => {
  expect(authorize([], facts)).toEqual({ kind: "allowed", permit: { policy: undefined } });
});

test("a DENY that matches denies, whatever an ALLOW says", () => {
  const verdict = authorize([policy("allow", [everything]), policy("deny", [everything])], facts);
  expect(verdict).toEqual({ kind: "denied", policy: "shop/deny-it" });
});

test("with an ALLOW policy only what one of them matches is allowed, and the permit says which", () => {
  const other = policy("allow", [[[{ destinationPorts: including(1) }]]], "other");
  expect(authorize([other], facts)).toEqual({ kind: "not-allowed", policies: ["shop/other"] });
  expect(authorize([other, policy("allow", [everything])], facts)).toEqual({
    kind: "allowed",
    permit: { policy: "shop/allow-it" },
  });
});

test("an ALLOW policy without rules allows nothing; a DENY without rules denies nothing", () => {
  expect(kind([policy("allow", [])])).toBe("not-allowed");
  expect(kind([policy("deny", [])])).toBe("allowed");
});

test("a dry run decides nothing", () => {
  expect(kind([{ ...policy("deny", [everything]), dryRun: true }])).toBe("allowed");
  expect(kind([{ ...policy("allow", []), dryRun: true }])).toBe("allowed");
});

// The table of empty things in Istio's semantics, and what each field compares.
test.each<[string, Rule, boolean]>([
  ["a rule without clauses matches", [], true],
  ["a clause without matches is true", [[]], true],
  ["a match without fields never matches", [[{}]], false],
  ["clauses are joined by AND", [[{ destinationPorts: including(8080) }], [{ destinationPorts: including(1) }]], false],
  ["matches are joined by OR", [[{ destinationPorts: including(1) }, { destinationPorts: including(8080) }]], true],
  ["fields are joined by AND", [[{ destinationPorts: including(8080), namespaces: including(exact("other")) }]], false],
  ["values are joined by OR", [[{ destinationPorts: including(1, 8080) }]], true],
  ["an exclusion negates", [[{ destinationPorts: excluding(8080) }]], false],
  ["an exclusion of something else matches", [[{ destinationPorts: excluding(1) }]], true],
  ["both must hold", [[{ destinationPorts: { include: [8080], exclude: [8080] } }]], false],
  ["principals have no scheme", [[{ principals: including(exact("cluster.local/ns/shop/sa/front")) }]], true],
  ["principals with the scheme do not match", [[{ principals: including(exact(facts.identity ?? "")) }]], false],
  ["a prefix", [[{ principals: including({ kind: "prefix", value: "cluster.local/ns/shop/" }) }]], true],
  ["a suffix", [[{ principals: including({ kind: "suffix", value: "/sa/front" }) }]], true],
  ["presence", [[{ principals: including({ kind: "presence" }) }]], true],
  ["the namespace of the identity", [[{ namespaces: including(exact("shop")) }]], true],
  ["a service account", [[{ serviceAccounts: including({ namespace: "shop", name: "front" }) }]], true],
  ["a service account elsewhere", [[{ serviceAccounts: including({ namespace: "other", name: "front" }) }]], false],
  ["the source's range", [[{ sourceIps: including(unwrap(parseCidr("10.244.1.0/24"))) }]], true],
  ["not the destination's range", [[{ destinationIps: including(unwrap(parseCidr("10.244.1.0/24"))) }]], false],
])("%s", (_, rule, matches) => {
  expect(policyMatches(policy("deny", [rule]), facts)).toBe(matches);
});

test.each<[string, Match, boolean]>([
  ["no principal is that of plaintext", { principals: including({ kind: "presence" }) }, false],
  ["plaintext passes notPrincipals", { principals: excluding({ kind: "presence" }) }, true],
  ["plaintext is in no namespace", { namespaces: including({ kind: "presence" }) }, false],
  ["plaintext passes notNamespaces", { namespaces: excluding(exact("shop")) }, true],
  ["plaintext has no service account", { serviceAccounts: including({ namespace: "shop", name: "front" }) }, false],
])("A-09: %s", (_, match, matches) => {
  expect(policyMatches(policy("deny", [[[match]]]), plaintext)).toBe(matches);
});
