import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type MeshObject, objectKey } from "#mesh/objects/mesh-object.ts";
import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import { type Fields, meshObject, referenceGrantYaml, routeYaml, serviceYaml } from "../testing/objects.ts";
import { MeshModel } from "./mesh-model.ts";

/** Machines may be busy. */
const TIMEOUT_MS = 120_000;

const CONTEXT = {
  trustDomain: unwrap(parseTrustDomain("cluster.local")),
  cluster: "Kubernetes",
  rootNamespace: "root",
};

// Few values, so that routes, Services and grants meet again and again.
const space = fc.constantFrom("a", "b");
const own = fc.constantFrom("x", "y");
const named = fc.tuple(space, own).map(([namespace, name]) => `${namespace}/${name}`);

const service = fc
  .record({
    name: named,
    type: fc.constantFrom("ClusterIP", "ClusterIP", "ClusterIP", "ExternalName"),
    clusterIP: fc.constantFrom("10.96.0.1", "10.96.0.1", "None"),
    ports: fc.uniqueArray(fc.constantFrom(80, 81), { minLength: 1 }),
    appProtocol: fc.constantFrom("http", "http", "https"),
  })
  .map(({ name, ports, appProtocol, ...spec }) =>
    serviceYaml(name, { ...spec, ports: ports.map((port) => ({ name: `p${port}`, port, appProtocol })) }),
  );

const parent = fc
  .record({
    name: own,
    namespace: space,
    place: fc.constantFrom<Fields>({ port: 80 }, { port: 81 }, { sectionName: "p80" }),
  })
  .map(({ place, ...rest }): Fields => ({ group: "", kind: "Service", ...rest, ...place }));
const reference = fc.record({ name: own, namespace: space, port: fc.constantFrom(80, 81) });
const backend = fc
  .record({ name: own, namespace: space, port: fc.constantFrom(80, 81), weight: fc.constantFrom(0, 1) })
  .map((fields): Fields => fields);
const filter = fc.oneof(
  fc.record({
    type: fc.constant("RequestMirror"),
    requestMirror: fc.record({ backendRef: reference }),
  }),
  fc.constant({ type: "ExtensionRef", extensionRef: { group: "x.y", kind: "Z", name: "z" } }),
  fc.constant({ type: "Unknown" }),
);
const rule = fc.record({
  backendRefs: fc.array(backend, { maxLength: 2 }),
  filters: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(filter, { maxLength: 2 }) },
  ),
});
const httpRule = fc.record({
  rule,
  match: fc.constantFrom<Fields>({}, { path: { value: "/a" } }, { path: { type: "Glob", value: "/a" } }),
});
const route = fc
  .record({
    kind: fc.constantFrom("HTTPRoute" as const, "HTTPRoute" as const, "GRPCRoute" as const),
    name: named,
    parents: fc.uniqueArray(parent, {
      maxLength: 2,
      selector: (value) => `${String(value.namespace)}/${String(value.name)}`,
    }),
    rules: fc.array(httpRule, { minLength: 1, maxLength: 2 }),
    generation: fc.constantFrom(1, 2),
    age: fc.constantFrom("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
  })
  .map(({ kind, name, parents, rules, generation, age }) =>
    routeYaml(
      kind,
      name,
      {
        parentRefs: parents,
        rules: rules.map(({ rule, match }) => ({ ...rule, ...(kind === "HTTPRoute" ? { matches: [match] } : {}) })),
      },
      { generation, creationTimestamp: age },
    ),
  );
const grant = fc
  .tuple(named, space, fc.constantFrom("HTTPRoute", "GRPCRoute"), fc.constantFrom(undefined, "x"))
  .map(([name, from, kind, service]) => referenceGrantYaml(name, from, kind, service));

const object = fc
  .oneof({ weight: 3, arbitrary: service }, { weight: 5, arbitrary: route }, { weight: 1, arbitrary: grant })
  .map(meshObject);
/** Puts an object in, or takes it out. */
const change = fc.tuple(object, fc.constantFrom(true, true, false));
const batches = fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 12, size: "max" });

const sorted = <Value>(map: ReadonlyMap<string, Value>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
const contentOf = ({ routes }: MeshModel) => ({ routes: sorted(routes.routes()), statuses: sorted(routes.statuses()) });

test.each([false, true])(
  "any sequence of changes ends in the routes and statuses of a fresh start; grants required: %j",
  (areReferenceGrantsRequired) => {
    const context = { ...CONTEXT, areReferenceGrantsRequired };
    fc.assert(
      fc.property(batches, (sequence) => {
        const model = new MeshModel(context);
        const present = new Map<string, MeshObject>();
        const told = new Map<string, unknown>();
        for (const batch of sequence) {
          const changes = new Map<string, MeshObject | undefined>();
          for (const [changed, isThere] of batch) {
            const key = objectKey(changed);
            changes.set(key, isThere ? changed : undefined);
            if (isThere) present.set(key, changed);
            else present.delete(key);
          }
          for (const [service, ports] of model.apply(changes).routes) {
            if (ports) told.set(service, ports);
            else told.delete(service);
          }
        }
        const fresh = new MeshModel(context);
        fresh.apply(present);
        expect(contentOf(model)).toEqual(contentOf(fresh));
        expect(sorted(told)).toEqual(contentOf(fresh).routes);
      }),
      { numRuns: 500 },
    );
  },
  TIMEOUT_MS,
);
