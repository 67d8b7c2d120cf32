import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { readMeshObject } from "#mesh/objects/mesh-object.ts";
import type { PodObject } from "#mesh/objects/pod.ts";
import { selects } from "#mesh/objects/metadata.ts";
import { unwrap } from "#mesh/result.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples");

const rawObjectsIn = (folder: string): readonly unknown[] =>
  readdirSync(join(EXAMPLES, folder))
    .flatMap((file) => parseAllDocuments(readFileSync(join(EXAMPLES, folder, file), "utf8")))
    .map((document) => document.toJS() as unknown);

const objectsIn = (folder: string) => rawObjectsIn(folder).map((object) => unwrap(readMeshObject(object)));

const first = objectsIn("first-mesh");
const pods = first.filter((object) => object.kind === "Pod");

test("every object of the examples is one that the mesh reads", () => {
  expect(readdirSync(EXAMPLES).flatMap(objectsIn).length).toBeGreaterThan(9);
});

test("a cluster could run them: every container has an image, every pod a service account and a namespace that exist", () => {
  const containers = rawObjectsIn("first-mesh").flatMap(
    (object) => (object as { spec?: { containers?: readonly { image?: string }[] } }).spec?.containers ?? [],
  );
  expect(containers.map(({ image }) => image)).toEqual(pods.map(() => "node:26-alpine"));
  const names = (kind: string): readonly string[] =>
    first.filter((object) => object.kind === kind).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  for (const { metadata, serviceAccount } of pods) {
    expect(names("ServiceAccount")).toContain(`${metadata.namespace}/${serviceAccount}`);
    expect(names("Namespace")).toContain(`/${metadata.namespace}`);
  }
});

test("the service has two replicas, and every call to them crosses from one node to another", () => {
  const service = first.find((object) => object.kind === "Service");
  const isReplica = (pod: PodObject): boolean => selects(service?.selector ?? new Map(), pod.metadata.labels);
  const nodesOf = (some: readonly PodObject[]): readonly unknown[] =>
    some.map(({ metadata }) => metadata.annotations.get("local.heddle.dev/node"));
  expect(nodesOf(pods.filter(isReplica))).toEqual(["2", "2"]);
  expect(nodesOf(pods.filter((pod) => !isReplica(pod)))).toEqual(["1", "1"]);
});

test("strict mutual TLS is not asked for until somebody adds it", () => {
  expect(first.filter(({ kind }) => kind === "PeerAuthentication")).toEqual([]);
  expect(objectsIn("first-mesh-strict")).toMatchObject([{ kind: "PeerAuthentication", mode: "STRICT" }]);
});
