import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type MeshObject, objectKey } from "#mesh/objects/mesh-object.ts";
import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import { Catalog } from "../publish/catalog.ts";
import {
  type Fields,
  meshObject,
  peerAuthenticationYaml,
  podYaml,
  serviceYaml,
  sliceYaml,
} from "../testing/objects.ts";
import { MeshModel } from "./mesh-model.ts";

/** Machines may be busy. */
const TIMEOUT_MS = 120_000;

const CONTEXT = {
  trustDomain: unwrap(parseTrustDomain("cluster.local")),
  cluster: "Kubernetes",
  rootNamespace: "root",
};

// Few values, so that objects meet: the same labels, addresses and names again and again.
const namespace = fc.constantFrom("a", "a", "root");
const name = fc.constantFrom("x", "y");
const ip = fc.constantFrom("10.0.0.1", "10.0.0.1", "fd00::1", "127.0.0.1");
const labels = fc.constantFrom<Fields>({ app: "x" }, { app: "x" }, {});
const named = fc.tuple(namespace, name).map(([space, own]) => `${space}/${own}`);
const mode = fc.constantFrom("UNSET", "DISABLE", "PERMISSIVE", "STRICT");

const pod = fc
  .record({
    name: named,
    labels,
    ips: fc.uniqueArray(ip, { minLength: 1, maxLength: 2 }),
    node: fc.constantFrom("n1", "n2"),
    ready: fc.boolean(),
    captured: fc.boolean(),
    phase: fc.constantFrom("Running", "Running", "Succeeded"),
    spec: fc.constantFrom<Fields>({}, { hostNetwork: true }),
    ports: fc.constantFrom<Record<string, number>>({}, { http: 8080 }, { http: 9090 }),
  })
  .map(({ name, ...fields }) => podYaml(name, fields));

const service = fc
  .record({
    name: named,
    selector: fc.constantFrom<Fields | undefined>(undefined, { app: "x" }),
    type: fc.constantFrom("ClusterIP", "ClusterIP", "ExternalName"),
    targetPort: fc.constantFrom<number | string>(8080, "http"),
    clusterIP: fc.constantFrom("None", "10.96.0.1", "10.96.0.2"),
  })
  .map(({ name, selector, type, targetPort, clusterIP }) =>
    serviceYaml(name, { ...(selector ? { selector } : {}), type, clusterIP, ports: [{ port: 80, targetPort }] }),
  );

const slice = fc
  .record({
    name: named,
    service: name,
    port: fc.constantFrom(7070, 7071),
    endpoints: fc.array(
      fc.record({
        addresses: fc.array(ip, { minLength: 1, maxLength: 2 }),
        conditions: fc.record({ ready: fc.boolean() }),
        targetRef: fc.option(fc.record({ kind: fc.constant("Pod"), name }), { nil: undefined }),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  })
  .map(({ name, service, port, endpoints }) => sliceYaml(name, service, { endpoints, ports: [{ port }] }));

const peerAuthentication = fc
  .record({
    name: named,
    selector: fc.constantFrom<Fields | undefined>(undefined, { matchLabels: { app: "x" } }),
    mode,
    port: mode,
    age: fc.constantFrom("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
  })
  .map(({ name, selector, mode, port, age }) =>
    peerAuthenticationYaml(
      name,
      { mtls: { mode }, ...(selector ? { selector, portLevelMtls: { 8080: { mode: port } } } : {}) },
      { creationTimestamp: age },
    ),
  );

const object = fc.oneof(pod, service, slice, peerAuthentication).map(meshObject);
/** Puts an object in, or takes it out. */
const change = fc.tuple(object, fc.boolean());
const batches = fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 12, size: "max" });

const contentOf = (model: MeshModel) => ({
  workloads: [...model.workloads()]
    .map((workload) => [workload.uid, { ...workload, mode: model.modeOf(workload.uid) }] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1)),
  services: [...model.services()].sort(([a], [b]) => (a < b ? -1 : 1)),
  policies: [...model.policies()].sort(([a], [b]) => (a < b ? -1 : 1)),
});

const publishedOf = (catalog: Catalog) =>
  ["n1", "n2", "n3"].map((node) => ({
    wanted: catalog.wanted(node),
    policies: [...catalog.view("type.googleapis.com/istio.security.Authorization", node).names()].sort(),
  }));

test(
  "any sequence of changes ends in the model, and in the resources, of a fresh start",
  () => {
    fc.assert(
      fc.property(batches, (sequence) => {
        const [model, catalog] = [new MeshModel(CONTEXT), new Catalog()];
        const present = new Map<string, MeshObject>();
        for (const batch of sequence) {
          const changes = new Map<string, MeshObject | undefined>();
          for (const [changed, isThere] of batch) {
            const key = objectKey(changed);
            changes.set(key, isThere ? changed : undefined);
            if (isThere) present.set(key, changed);
            else present.delete(key);
          }
          catalog.apply(model.apply(changes));
        }
        const [fresh, freshCatalog] = [new MeshModel(CONTEXT), new Catalog()];
        freshCatalog.apply(fresh.apply(present));
        expect(contentOf(model)).toEqual(contentOf(fresh));
        expect(publishedOf(catalog)).toEqual(publishedOf(freshCatalog));
      }),
      { numRuns: 1_000 },
    );
  },
  TIMEOUT_MS,
);
