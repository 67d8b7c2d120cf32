import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { readMeshObject } from "#mesh/objects/mesh-object.ts";
import type { PodObject } from "#mesh/objects/pod.ts";
import { selects } from "#mesh/objects/metadata.ts";
import { unwrap } from "#mesh/result.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples");

const FOLDERS = readdirSync(EXAMPLES).filter((name) => statSync(join(EXAMPLES, name)).isDirectory());

const rawObjectsIn = (folder: string): readonly unknown[] =>
  readdirSync(join(EXAMPLES, folder))
    .filter((file) => file.endsWith(".yaml"))
    .flatMap((file) => parseAllDocuments(readFileSync(join(EXAMPLES, folder, file), "utf8")))
    .map((document) => document.toJS() as unknown);

const objectsIn = (folder: string) => rawObjectsIn(folder).map((object) => unwrap(readMeshObject(object)));

const first = objectsIn("first-mesh");
const pods = first.filter((object) => object.kind === "Pod");

test("every object of the examples is one that the mesh reads", () => {
  expect(FOLDERS.flatMap(objectsIn).length).toBeGreaterThan(9);
});

test.each(FOLDERS)(
  "a cluster could run %s: all have an image, a service account and a namespace that exist",
  (folder) => {
    const objects = objectsIn(folder);
    const own = objects.filter((object) => object.kind === "Pod");
    const containers = rawObjectsIn(folder).flatMap(
      (object) => (object as { spec?: { containers?: readonly { image?: string }[] } }).spec?.containers ?? [],
    );
    expect(containers.map(({ image }) => image)).toEqual(own.map(() => "node:26-alpine"));
    const names = (kind: string): readonly string[] =>
      objects.filter((object) => object.kind === kind).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    for (const { metadata, serviceAccount } of own) {
      expect(names("ServiceAccount")).toContain(`${metadata.namespace}/${serviceAccount}`);
      expect(names("Namespace")).toContain(`/${metadata.namespace}`);
    }
  },
);

test.each(FOLDERS)("the list of examples names %s", (folder) => {
  expect(readFileSync(join(EXAMPLES, "README.md"), "utf8")).toContain(`[${folder}](${folder}/)`);
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
