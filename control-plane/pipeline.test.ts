import { expect, test } from "vitest";
import { ADDRESS_TYPE } from "#api/type-urls.ts";
import type { MeshObject } from "#mesh/objects/mesh-object.ts";
import { unwrap } from "#mesh/result.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import type { CollectedChange } from "./collect/object-source.ts";
import { Pipeline } from "./pipeline.ts";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { memoryLog } from "./testing/memory-log.ts";
import { type Fields, objectMap, podYaml } from "./testing/objects.ts";

const CONTEXT = {
  trustDomain: unwrap(parseTrustDomain("cluster.local")),
  cluster: "Kubernetes",
  rootNamespace: "root",
};

const collected = (...objects: readonly Fields[]): CollectedChange =>
  new Map([...objectMap(...objects)].map(([key, object]) => [key, { declared: object, current: object }]));

const setUp = () => {
  const [clock, log] = [new ManualClock(), memoryLog()];
  const published: string[][] = [];
  const pipeline = new Pipeline(CONTEXT, clock, log, ({ addresses }) => published.push([...addresses]));
  return { clock, log, published, pipeline };
};

test("what is collected together is published together, when it is quiet", () => {
  const { clock, published, pipeline } = setUp();
  pipeline.collected(collected(podYaml("shop/a", { ip: "10.0.0.1" })));
  clock.advance(40);
  pipeline.collected(collected(podYaml("shop/b", { ip: "10.0.0.2" })));
  expect(published).toEqual([]);
  clock.advance(50);
  expect(published).toEqual([["Kubernetes//Pod/shop/a", "Kubernetes//Pod/shop/b"]]);
});

test("of an object that changes twice only the last is published", () => {
  const { clock, published, pipeline } = setUp();
  pipeline.collected(collected(podYaml("shop/a", { ip: "10.0.0.1" })));
  pipeline.collected(new Map([["Pod shop/a", undefined]]));
  clock.advance(50);
  expect(published).toEqual([[]]);
  expect(pipeline.inventory.current.pods).toEqual([]);
});

test("a mistake of ours about one object does not end the publishing of others", () => {
  const { clock, log, pipeline } = setUp();
  const impossible = { kind: "Pod" } as MeshObject;
  pipeline.collected(new Map([["Pod shop/bad", { declared: impossible, current: impossible }]]));
  clock.advance(50);
  expect(log.lines.map(({ level }) => level)).toEqual(["error"]);
  pipeline.collected(collected(podYaml("shop/a", { ip: "10.0.0.1" })));
  clock.advance(50);
  expect([...pipeline.catalog.view(ADDRESS_TYPE, "node-1").names()]).toEqual(["Kubernetes//Pod/shop/a"]);
});
