import { expect, test } from "vitest";
import type { Authorization, ConnectionFacts } from "#mesh/policies/authorization.ts";
import { policyName } from "#mesh/policies/authorization.ts";
import { emptySnapshot, type Snapshot } from "#mesh/snapshot.ts";
import { exampleWorkload, ip, snapshotWith, spiffe } from "#mesh/testing/examples.ts";
import { guardInbound, guardOutbound } from "./inbound.ts";

const CART = spiffe("spiffe://cluster.local/ns/shop/sa/cart");

const FACTS: ConnectionFacts = {
  identity: CART,
  sourceIp: ip("10.244.1.11"),
  destinationIp: ip("10.244.1.10"),
  destinationPort: 8080,
};
const PLAINTEXT: ConnectionFacts = { ...FACTS, identity: undefined };

const policy = (name: string, changes: Partial<Authorization> = {}): Authorization => ({
  namespace: "shop",
  name,
  scope: "selector",
  action: "allow",
  dryRun: false,
  rules: [[]],
  ...changes,
});

/** A rule about one port. */
const onPort = (port: number): Authorization["rules"] => [[[{ destinationPorts: { include: [port], exclude: [] } }]]];

const withPolicies = (...policies: readonly Authorization[]): Snapshot =>
  snapshotWith({
    policies: new Map(policies.map((each) => [policyName(each), each])),
  });

/** A pod that names these policies. */
const naming = (...policies: readonly string[]) => exampleWorkload({ policies });

test("where no policy says anything everybody may", () => {
  expect(guardInbound(emptySnapshot, naming(), PLAINTEXT)).toMatchObject({ ok: true, value: { policy: undefined } });
});

test("a permit says which policy allowed it", () => {
  const snapshot = withPolicies(policy("allow", { rules: onPort(8080) }));
  expect(guardInbound(snapshot, naming("shop/allow"), FACTS)).toMatchObject({
    ok: true,
    value: { policy: "shop/allow" },
  });
});

test("what no allowing policy allows is refused, with all that would have had to", () => {
  const snapshot = withPolicies(policy("a", { rules: onPort(1) }), policy("b", { rules: onPort(2) }));
  expect(guardInbound(snapshot, naming("shop/a", "shop/b"), FACTS)).toEqual({
    ok: false,
    error: { reason: "not-allowed", policy: "shop/a, shop/b", message: "none of shop/a, shop/b allows it" },
  });
});

test("what a policy denies is refused, also where another allows it", () => {
  const snapshot = withPolicies(
    policy("allow"),
    policy("deny", { action: "deny", rules: onPort(8080) }),
    policy("all", { rules: onPort(8080) }),
  );
  expect(guardInbound(snapshot, naming("shop/all", "shop/deny"), FACTS)).toEqual({
    ok: false,
    error: { reason: "policy-denied", policy: "shop/deny", message: "shop/deny denies it" },
  });
});

test.each([["shop/gone"], ["shop/all", "shop/gone"]])(
  "a policy that the pod names and that never came is a refusal: %s %s",
  (...names) => {
    const snapshot = withPolicies(policy("all", { rules: onPort(8080) }));
    expect(guardInbound(snapshot, naming(...names), FACTS)).toMatchObject({
      ok: false,
      error: { reason: "policy-missing", policy: "shop/gone", message: /shop\/gone have not arrived/ },
    });
  },
);

/** The policies that mean mutual TLS: they deny whoever has no identity. */
const strict = (name: string, namespace = "shop"): Authorization =>
  policy(name, {
    namespace,
    action: "deny",
    scope: "selector",
    rules: [[[{ principals: { include: [], exclude: [{ kind: "presence" }] } }]]],
  });

test.each([
  ["istio_converted_static_strict", "istio-system"],
  ["converted_peer_authentication_web", "shop"],
])("plaintext that %s keeps out is told as that, and a proven caller is not kept out", (name, namespace) => {
  const snapshot = withPolicies(strict(name, namespace));
  const pod = naming(`${namespace}/${name}`);
  expect(guardInbound(snapshot, pod, PLAINTEXT)).toMatchObject({
    ok: false,
    error: { reason: "plaintext-refused", policy: `${namespace}/${name}`, message: /requires mutual TLS/ },
  });
  expect(guardInbound(snapshot, pod, FACTS).ok).toBe(true);
});

test.each(["deny", "my_istio_converted_static_strict", "istio_converted_static_strict_2"])(
  "plaintext that another policy denies, %s, is told as any denial",
  (name) => {
    const snapshot = withPolicies(strict(name));
    expect(guardInbound(snapshot, naming(`shop/${name}`), PLAINTEXT)).toMatchObject({
      ok: false,
      error: { reason: "policy-denied" },
    });
  },
);

test("a proven caller that such a policy denies was not denied for being plaintext", () => {
  const snapshot = withPolicies(policy("converted_peer_authentication_web", { action: "deny", rules: onPort(8080) }));
  expect(guardInbound(snapshot, naming("shop/converted_peer_authentication_web"), FACTS)).toMatchObject({
    ok: false,
    error: { reason: "policy-denied" },
  });
});

test.each([
  ["the mesh", { scope: "global", namespace: "istio-system" } as const],
  ["the pod's namespace", { scope: "namespace" } as const],
])("policies of %s concern a pod that names none", (_, changes) => {
  const snapshot = withPolicies(policy("deny", { action: "deny", rules: onPort(8080), ...changes }));
  expect(guardInbound(snapshot, naming(), FACTS)).toMatchObject({ ok: false, error: { reason: "policy-denied" } });
});

test("policies of another namespace, or that the pod does not name, do not concern it", () => {
  const snapshot = withPolicies(
    policy("deny", { action: "deny", rules: onPort(8080), scope: "namespace", namespace: "other" }),
    policy("selected", { action: "deny", rules: onPort(8080) }),
  );
  expect(guardInbound(snapshot, naming(), FACTS).ok).toBe(true);
});

test("a pod may call whom it wants", () => {
  expect(guardOutbound(PLAINTEXT)).toEqual({ policy: undefined });
});
