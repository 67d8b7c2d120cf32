import type { MessageInitShape } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Action, type AuthorizationSchema, type MatchSchema, Scope } from "#api/gen/istio/security/authorization_pb.js";
import { parseCidr } from "#mesh/cidr.ts";
import type { Authorization } from "#mesh/policies/authorization.ts";
import { unwrap } from "#mesh/result.ts";
import { policyBytes } from "../testing/resource-bytes.ts";
import { decodeAuthorization } from "./authorization.ts";

const decoded = (changes: MessageInitShape<typeof AuthorizationSchema> = {}): Authorization | string => {
  const policy = decodeAuthorization("shop/deny", policyBytes(changes));
  return policy.ok ? policy.value : policy.error;
};

const withMatch = (match: MessageInitShape<typeof MatchSchema>): MessageInitShape<typeof AuthorizationSchema> => ({
  rules: [{ clauses: [{ matches: [match] }] }],
});

const address = Uint8Array.of(10, 0, 0, 0);

test("a policy that says nothing allows nothing, in the whole mesh", () => {
  expect(decoded()).toEqual({
    namespace: "shop",
    name: "deny",
    scope: "global",
    action: "allow",
    dryRun: false,
    rules: [],
  });
});

test.each([
  [Scope.GLOBAL, "global"],
  [Scope.NAMESPACE, "namespace"],
  [Scope.WORKLOAD_SELECTOR, "selector"],
])("scope %i is %s", (scope, name) => {
  expect(decoded({ scope })).toMatchObject({ scope: name });
});

test("every field of a match is taken over, and a field without values is not there", () => {
  const text = (value: string) => ({ matchType: { case: "exact" as const, value } });
  const match = {
    namespaces: [{ matchType: { case: "prefix" as const, value: "sh" } }],
    notNamespaces: [{ matchType: { case: "suffix" as const, value: "op" } }],
    principals: [{ matchType: { case: "presence" as const, value: {} } }],
    notPrincipals: [text("p")],
    sourceIps: [{ address, length: 8 }],
    notSourceIps: [{ address, length: 32 }],
    destinationIps: [{ address, length: 0 }],
    notDestinationIps: [{ address: new Uint8Array(16), length: 128 }],
    destinationPorts: [80],
    notDestinationPorts: [81, 82],
    serviceAccounts: [{ namespace: "n", serviceAccount: "s" }],
    notServiceAccounts: [{ namespace: "m", serviceAccount: "t" }],
  };
  expect(decoded({ action: Action.DENY, dryRun: true, ...withMatch(match) })).toMatchObject({
    action: "deny",
    dryRun: true,
    rules: [
      [
        [
          {
            namespaces: { include: [{ kind: "prefix", value: "sh" }], exclude: [{ kind: "suffix", value: "op" }] },
            principals: { include: [{ kind: "presence" }], exclude: [{ kind: "exact", value: "p" }] },
            sourceIps: { include: [unwrap(parseCidr("10.0.0.0/8"))], exclude: [unwrap(parseCidr("10.0.0.0/32"))] },
            destinationIps: { include: [unwrap(parseCidr("10.0.0.0/0"))], exclude: [unwrap(parseCidr("::/128"))] },
            destinationPorts: { include: [80], exclude: [81, 82] },
            serviceAccounts: { include: [{ namespace: "n", name: "s" }], exclude: [{ namespace: "m", name: "t" }] },
          },
        ],
      ],
    ],
  });
  expect(decoded(withMatch({ destinationPorts: [80] }))).toMatchObject({ rules: [[[{}]]] });
  const [[[only] = []] = []] = (decoded(withMatch({ destinationPorts: [80] })) as Authorization).rules;
  expect(only && Object.keys(only)).toEqual(["destinationPorts"]);
});

test("rules, clauses and matches that are empty stay what they are: each means something", () => {
  expect(decoded({ rules: [{}] })).toMatchObject({ rules: [[]] });
  expect(decoded({ rules: [{ clauses: [{}] }] })).toMatchObject({ rules: [[[]]] });
  expect(decoded(withMatch({}))).toMatchObject({ rules: [[[{}]]] });
});

test.each<[string, MessageInitShape<typeof AuthorizationSchema>, RegExp]>([
  ["another name", { name: "allow" }, /not the resource's name/],
  ["another namespace", { namespace: "other" }, /not the resource's name/],
  ["an unknown scope", { scope: 9 as Scope }, /unknown scope 9/],
  ["an unknown action", { action: 9 as Action }, /unknown action 9/],
  ["an extension", { extensions: [{ name: "x" }] }, /policy extensions are not supported/],
  ["an extension of a match", withMatch({ extensions: [{ name: "x" }] }), /match extensions are not supported/],
  ["a text match of an unknown kind", withMatch({ principals: [{}] }), /a string match of unknown kind/],
  ["a range of three bytes", withMatch({ sourceIps: [{ address: address.subarray(1), length: 8 }] }), /4 or 16 bytes/],
  ["a range with a long prefix", withMatch({ notSourceIps: [{ address, length: 33 }] }), /33/],
])("a policy with %s is refused as a whole", (_, changes, problem) => {
  expect(decoded(changes)).toMatch(problem);
});

/** A field of bytes, as protobuf writes it; field 99, a number, is what a later version may have added. */
const field = (number: number, ...content: readonly Uint8Array[]): Uint8Array => {
  const bytes = Buffer.concat(content);
  return Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes]);
};
const LATER = Buffer.of(0x98, 0x06, 1);
const ruleOf = (...match: readonly Uint8Array[]): Uint8Array => field(5, field(1, field(2, ...match)));

test.each<[string, Uint8Array, RegExp | undefined]>([
  ["none", ruleOf(field(1, field(1, Buffer.from("x")))), undefined],
  ["one of its own", LATER, /the policy has fields/],
  ["one of a rule", field(5, LATER), /a rule has fields/],
  ["one of a clause", field(5, field(1, LATER)), /a clause has fields/],
  ["one of a match", ruleOf(LATER), /a match has fields/],
  ["one of a text match", ruleOf(field(1, LATER)), /a string match of unknown kind/],
  ["one of a range", ruleOf(field(5, field(1, address), LATER)), /a range has fields/],
  ["one of a service account", ruleOf(field(11, LATER)), /a service account has fields/],
])("a policy with a field of a later version is refused as a whole: %s", (_, bytes, problem) => {
  const policy = decodeAuthorization("shop/deny", Buffer.concat([policyBytes(), bytes]));
  if (problem) expect(policy.ok ? "taken" : policy.error).toMatch(problem);
  else expect(policy.ok).toBe(true);
});

test("of many problems the first are named", () => {
  const sourceIps = Array.from({ length: 10_000 }, () => ({ address: new Uint8Array(3) }));
  expect(JSON.stringify(decoded(withMatch({ sourceIps }))).length).toBeLessThan(1_000);
});

test("no bytes make the reader throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeAuthorization("shop/deny", bytes)),
    { numRuns: 500 },
  );
});

test("a policy that lost its end is never read as one with fewer conditions in a clause", () => {
  const whole = policyBytes(
    withMatch({ destinationPorts: [80], namespaces: [{ matchType: { case: "exact", value: "x" } }] }),
  );
  for (let length = 0; length < whole.length; length++) {
    const policy = decodeAuthorization("shop/deny", whole.subarray(0, length));
    if (policy.ok) expect(policy.value.rules).toEqual([]);
  }
});
