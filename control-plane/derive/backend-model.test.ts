import * as fc from "fast-check";
import { expect, test } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { formatCertificates } from "#certs/x509/pem.ts";
import { type MeshObject, objectKey } from "#mesh/objects/mesh-object.ts";
import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import {
  configMapYaml,
  type Fields,
  meshObject,
  objectMap,
  serviceYaml,
  tlsPolicyYaml,
  trafficPolicyYaml,
} from "../testing/objects.ts";
import { derivedStatuses } from "./derived-status.ts";
import { MeshModel } from "./mesh-model.ts";
import { objectWarnings } from "./object-warnings.ts";

const CONTEXT = {
  trustDomain: unwrap(parseTrustDomain("cluster.local")),
  cluster: "Kubernetes",
  rootNamespace: "root",
};
const [OLD, YOUNG] = ["2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"].map((creationTimestamp) => ({
  creationTimestamp,
}));
const WEB = "shop/web.shop.svc.cluster.local";

const web = serviceYaml("shop/web", { clusterIP: "10.96.0.1", ports: [{ port: 80 }] });
const budget = (percent: number): Fields => ({ retryConstraint: { budget: { percent } } });

const modelOf = (...objects: readonly Fields[]): MeshModel => {
  const model = new MeshModel(CONTEXT);
  model.apply(objectMap(...objects));
  return model;
};
const conditions = ({ backends }: MeshModel, policy: string) =>
  (backends.statuses().get(`XBackendTrafficPolicy shop/${policy}`) ?? []).map(({ ancestorRef, conditions }) => {
    const [accepted] = conditions;
    return `${ancestorRef.namespace}/${ancestorRef.name} ${accepted?.type}=${accepted?.status} ${accepted?.reason}`;
  });

test("a policy holds for the Services of its namespace that it names, with its defaults filled in", () => {
  const session = { sessionPersistence: { type: "Header", header: { name: "X-Session" } } };
  const model = modelOf(web, trafficPolicyYaml("shop/p", ["web"], { retryConstraint: {}, ...session }));
  expect(model.backends.policies()).toEqual(
    new Map([
      [
        WEB,
        {
          service: WEB,
          retryConstraint: { percent: 20, intervalMs: 10_000, minRetries: 10, minRetriesIntervalMs: 1_000 },
          sessionPersistence: { kind: "header", name: "x-session", absoluteTimeoutMs: undefined },
          tls: new Map(),
        },
      ],
    ]),
  );
  expect(conditions(model, "p")).toEqual(["shop/web Accepted=True Accepted"]);
  expect(modelOf(web, trafficPolicyYaml("bank/p", ["web"])).backends.policies().size).toBe(0);
});

test("of several policies for a Service the oldest counts, then the first by name, and the others say so", () => {
  const model = modelOf(
    web,
    trafficPolicyYaml("shop/a", ["web"], budget(1), YOUNG),
    trafficPolicyYaml("shop/b", ["web"], budget(2), OLD),
    trafficPolicyYaml("shop/c", ["web"], budget(3), OLD),
  );
  expect(model.backends.policies().get(WEB)?.retryConstraint?.percent).toBe(2);
  expect(["a", "b", "c"].map((name) => conditions(model, name)[0])).toEqual([
    "shop/web Accepted=False Conflicted",
    "shop/web Accepted=True Accepted",
    "shop/web Accepted=False Conflicted",
  ]);
});

test("a policy with something that the mesh does not know has no effect, and the next one counts", () => {
  const unknown = { sessionPersistence: { type: "Telepathy" } };
  const model = modelOf(
    web,
    trafficPolicyYaml("shop/a", ["web"], { ...budget(1), ...unknown }, OLD),
    trafficPolicyYaml("shop/b", ["web"], budget(2), YOUNG),
  );
  expect(model.backends.policies().get(WEB)?.retryConstraint?.percent).toBe(2);
  expect(conditions(model, "a")).toEqual(["shop/web Accepted=False Invalid"]);
});

test("Services that are not there or are aliases have no policy, and the policy says so", () => {
  const model = modelOf(
    serviceYaml("shop/alias", { type: "ExternalName", externalName: "example.org" }),
    trafficPolicyYaml("shop/p", ["none", "alias"]),
  );
  expect(model.backends.policies().size).toBe(0);
  expect(conditions(model, "p")).toEqual([
    "shop/none Accepted=False TargetNotFound",
    "shop/alias Accepted=False Invalid",
  ]);
  expect(
    objectWarnings(model.tables, "root", new Map(), model.backends.statuses()).get("XBackendTrafficPolicy shop/p"),
  ).toEqual([
    "Accepted=False (TargetNotFound) at Service shop/none: Service shop/none is not there",
    expect.stringContaining("ExternalName"),
  ]);
});

test("targets of other kinds are others' to speak of, and a status is there all the same", () => {
  const targetRefs = [{ group: "example.org", kind: "Thing", name: "web" }];
  const model = modelOf(web, trafficPolicyYaml("shop/p", [], { targetRefs }, { generation: 7 }));
  expect(derivedStatuses(model)).toMatchObject([
    { kind: "XBackendTrafficPolicy", namespace: "shop", name: "p", generation: 7, field: "ancestors", entries: [] },
  ]);
  expect(objectWarnings(model.tables, "root").get("XBackendTrafficPolicy shop/p")).toEqual([
    "Thing web is not a Service",
  ]);
});

const service = fc
  .record({
    name: fc.constantFrom("a/x", "a/y", "b/x"),
    type: fc.constantFrom("ClusterIP", "ClusterIP", "ExternalName"),
  })
  .map(({ name, type }) => serviceYaml(name, { type, ports: [{ name: "http", port: 80 }] }));
const policy = fc
  .record({
    name: fc.constantFrom("a/p", "a/q", "b/p"),
    targets: fc.uniqueArray(fc.constantFrom("x", "y"), { minLength: 1 }),
    percent: fc.constantFrom(1, 2),
    metadata: fc.constantFrom({}, OLD ?? {}, YOUNG ?? {}),
    unknown: fc.constantFrom({}, {}, { sessionPersistence: { type: "Telepathy" } }),
  })
  .map(({ name, targets, percent, metadata, unknown }) =>
    trafficPolicyYaml(name, targets, { ...budget(percent), ...unknown }, metadata),
  );
const tlsPolicy = fc
  .record({
    name: fc.constantFrom("a/p", "a/q", "b/p"),
    targets: fc.uniqueArray(fc.constantFrom("x", "y#http", "y"), { minLength: 1 }),
    metadata: fc.constantFrom({}, OLD ?? {}, YOUNG ?? {}),
  })
  .map(({ name, targets, metadata }) => tlsPolicyYaml(name, targets, {}, metadata));
const PEM = formatCertificates([testAuthority().root.certificate]);
const configMap = fc
  .tuple(fc.constantFrom("a/ca", "b/ca"), fc.constantFrom(PEM, "nothing"))
  .map(([name, text]) => configMapYaml(name, { "ca.crt": text }));
const change = fc.tuple(
  fc.oneof(service, policy, tlsPolicy, configMap).map(meshObject),
  fc.constantFrom(true, true, false),
);

test("any sequence of changes ends in the policies and statuses of a fresh start", () => {
  const sorted = <Value>(map: ReadonlyMap<string, Value>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (sequence) => {
      const model = new MeshModel(CONTEXT);
      const present = new Map<string, MeshObject>();
      const told = new Map<string, unknown>();
      for (const [object, isThere] of sequence) {
        const key = objectKey(object);
        if (isThere) present.set(key, object);
        else present.delete(key);
        for (const [name, policy] of model.apply(new Map([[key, isThere ? object : undefined]])).backends) {
          if (policy) told.set(name, policy);
          else told.delete(name);
        }
      }
      const fresh = new MeshModel(CONTEXT);
      fresh.apply(present);
      expect(sorted(model.backends.policies())).toEqual(sorted(fresh.backends.policies()));
      expect(sorted(model.backends.statuses())).toEqual(sorted(fresh.backends.statuses()));
      expect(sorted(told)).toEqual(sorted(fresh.backends.policies()));
    }),
  );
}, 60_000);
