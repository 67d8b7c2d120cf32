import { expect, test } from "vitest";
import { unwrap } from "#mesh/result.ts";
import { parseIpAddress } from "#mesh/ip-address.ts";
import type { PeerAuthenticationObject } from "#mesh/objects/peer-authentication.ts";
import { authorize } from "#mesh/policies/authorization.ts";
import { parseSpiffeId } from "#mesh/spiffe-id.ts";
import { type Fields, meshObject, peerAuthenticationYaml } from "../testing/objects.ts";
import {
  convertedPolicy,
  type EffectiveMode,
  inheritedMode,
  oldestPolicy,
  staticStrictPolicy,
  workloadAuthentication,
} from "./peer-authentication.ts";

const policy = (spec: Fields, metadata: Fields = {}, name = "shop/p"): PeerAuthenticationObject =>
  meshObject(peerAuthenticationYaml(name, spec, metadata)) as PeerAuthenticationObject;

const mode = (word: string | undefined) => (word === undefined ? undefined : policy({ mtls: { mode: word } }));

test.each([
  [undefined, undefined, "PERMISSIVE"],
  ["STRICT", undefined, "STRICT"],
  ["STRICT", "UNSET", "STRICT"],
  ["STRICT", "PERMISSIVE", "PERMISSIVE"],
  ["STRICT", "DISABLE", "PERMISSIVE"],
  ["PERMISSIVE", "STRICT", "STRICT"],
  ["UNSET", "UNSET", "PERMISSIVE"],
  [undefined, "STRICT", "STRICT"],
] as const)("mesh %s, namespace %s: workloads inherit %s", (mesh, namespace, expected) => {
  expect(inheritedMode(mode(mesh), mode(namespace))).toBe(expected);
});

test("of several policies the oldest counts; those never stored by an API server come last, by name", () => {
  const old = policy({}, { creationTimestamp: "2024-01-01T00:00:00Z" }, "shop/z");
  const young = policy({}, { creationTimestamp: "2025-01-01T00:00:00Z" }, "shop/y");
  const [a, b] = [policy({}, {}, "shop/a"), policy({}, { creationTimestamp: "nonsense" }, "shop/b")];
  expect(oldestPolicy([b, a, young, old])).toBe(old);
  expect(oldestPolicy([b, a, young])).toBe(young);
  expect(oldestPolicy([b, a])).toBe(a);
  expect(oldestPolicy([])).toBe(undefined);
});

const IDENTITY = unwrap(parseSpiffeId("spiffe://cluster.local/ns/shop/sa/web"));

/** Whether plaintext gets to a port of a workload that this policy selects, as the proxy decides it. */
const admitsPlaintext = (
  own: PeerAuthenticationObject | undefined,
  inherited: EffectiveMode,
  port: number,
): boolean => {
  const { policies } = workloadAuthentication(own, inherited, "istio-system");
  const known = new Map(
    [staticStrictPolicy("istio-system"), own && convertedPolicy(own, inherited)]
      .filter((made) => made !== undefined)
      .map((made) => [`${made.namespace}/${made.name}`, made]),
  );
  const applied = policies.map((name) => {
    const found = known.get(name);
    if (!found) throw new Error(`${name} is named and not made`);
    return found;
  });
  const address = unwrap(parseIpAddress("10.0.0.1"));
  const facts = { sourceIp: address, destinationIp: address, destinationPort: port };
  expect(authorize(applied, { ...facts, identity: IDENTITY }).kind).toBe("allowed");
  return authorize(applied, { ...facts, identity: undefined }).kind === "allowed";
};

const MODES = ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"] as const;
const CASES = (["STRICT", "PERMISSIVE"] as const).flatMap((inherited) =>
  MODES.flatMap((own) => MODES.flatMap((first) => MODES.map((second) => [inherited, own, first, second] as const))),
);

test.each(CASES)(
  "inherited %s, own %s, ports %s and %s: plaintext gets where it may",
  (inherited, own, first, second) => {
    const selector = { matchLabels: { app: "web" } };
    const portLevelMtls = { 8080: { mode: first }, 9090: { mode: second } };
    const made = policy({ selector, mtls: { mode: own }, portLevelMtls });
    const base = own === "UNSET" ? inherited : own;
    const admits = (word: (typeof MODES)[number]) => (word === "UNSET" ? base : word) !== "STRICT";
    expect(admitsPlaintext(made, inherited, 8080)).toBe(admits(first));
    expect(admitsPlaintext(made, inherited, 9090)).toBe(admits(second));
    expect(admitsPlaintext(made, inherited, 7070)).toBe(admits("UNSET"));
  },
);

test("without a policy of its own a workload does as it inherits", () => {
  expect(workloadAuthentication(undefined, "STRICT", "istio-system")).toEqual({
    mode: "STRICT",
    policies: ["istio-system/istio_converted_static_strict"],
  });
  expect(workloadAuthentication(undefined, "PERMISSIVE", "istio-system")).toEqual({ mode: "PERMISSIVE", policies: [] });
});

test("exceptions to STRICT are one rule: no principal, and none of the ports", () => {
  const selector = { matchLabels: { app: "web" } };
  const portLevelMtls = { 9090: { mode: "DISABLE" }, 8080: { mode: "PERMISSIVE" }, 7070: { mode: "STRICT" } };
  expect(convertedPolicy(policy({ selector, mtls: { mode: "STRICT" }, portLevelMtls }), "PERMISSIVE")).toEqual({
    namespace: "shop",
    name: "converted_peer_authentication_p",
    scope: "selector",
    action: "deny",
    dryRun: false,
    rules: [
      [
        [{ principals: { include: [], exclude: [{ kind: "presence" }] } }],
        [{ destinationPorts: { include: [], exclude: [8080] } }],
        [{ destinationPorts: { include: [], exclude: [9090] } }],
      ],
    ],
  });
});

test("the order in which ports are written changes nothing", () => {
  const selector = { matchLabels: { app: "web" } };
  const portLevelMtls = { 8080: { mode: "STRICT" }, 9090: { mode: "STRICT" } };
  const made = policy({ selector, portLevelMtls });
  const turned = { ...made, portModes: new Map([...made.portModes].toReversed()) };
  expect(convertedPolicy(turned, "PERMISSIVE")).toEqual(convertedPolicy(made, "PERMISSIVE"));
});

test("STRICT ports of a PERMISSIVE workload are a rule each: no principal on that port", () => {
  const selector = { matchLabels: { app: "web" } };
  const portLevelMtls = { 9090: { mode: "STRICT" }, 8080: { mode: "STRICT" } };
  const withoutPrincipal = { principals: { include: [], exclude: [{ kind: "presence" }] } };
  expect(convertedPolicy(policy({ selector, portLevelMtls }), "PERMISSIVE")?.rules).toEqual([
    [[{ ...withoutPrincipal, destinationPorts: { include: [8080], exclude: [] } }]],
    [[{ ...withoutPrincipal, destinationPorts: { include: [9090], exclude: [] } }]],
  ]);
});
