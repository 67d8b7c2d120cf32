import { expect, test } from "vitest";
import type { Metadata } from "#mesh/objects/metadata.ts";
import { type Fields, meshObject, podYaml } from "../testing/objects.ts";
import { canonicalName, canonicalRevision, podOwner } from "./pod-naming.ts";

const metadataOf = (labels: Fields, owner?: { readonly kind: string; readonly name: string }): Metadata =>
  meshObject(
    podYaml("shop/web-6d4cf56db6-x7k2p", {
      labels,
      metadata: owner ? { ownerReferences: [{ ...owner, controller: true }] } : {},
    }),
  ).metadata;

test.each([
  ["nobody", undefined, { kind: "pod", name: "web-6d4cf56db6-x7k2p" }],
  ["a ReplicaSet", { kind: "ReplicaSet", name: "web-6d4cf56db6" }, { kind: "deployment", name: "web" }],
  [
    "a ReplicaSet with a dash in its name",
    { kind: "ReplicaSet", name: "web-v2-6d4c" },
    { kind: "deployment", name: "web-v2" },
  ],
  ["a Job", { kind: "Job", name: "migrate" }, { kind: "job", name: "migrate" }],
  ["a CronJob's Job", { kind: "Job", name: "report-28123456" }, { kind: "cronjob", name: "report" }],
  ["a Job that ends in few digits", { kind: "Job", name: "report-2812" }, { kind: "job", name: "report-2812" }],
  ["a StatefulSet", { kind: "StatefulSet", name: "db" }, { kind: "pod", name: "db" }],
])("a pod made by %s", (_, owner, expected) => {
  expect(podOwner(metadataOf({}, owner))).toEqual(expected);
});

test("the hash that the pod itself names is cut off, also when it has a dash", () => {
  const metadata = metadataOf({ "pod-template-hash": "a-b" }, { kind: "ReplicaSet", name: "web-a-b" });
  expect(podOwner(metadata).name).toBe("web");
});

const ALL = { app: "c", "app.kubernetes.io/name": "b", "service.istio.io/canonical-name": "a" };

test.each([
  [ALL, "a"],
  [{ app: "c", "app.kubernetes.io/name": "b" }, "b"],
  [{ app: "c" }, "c"],
  [{ app: "" }, "db"],
  [{}, "db"],
])("canonical name of labels %j", (labels, expected) => {
  const metadata = metadataOf(labels, { kind: "StatefulSet", name: "db" });
  expect(canonicalName(metadata, podOwner(metadata))).toBe(expected);
});

test.each([
  [{ version: "c", "app.kubernetes.io/version": "b", "service.istio.io/canonical-revision": "a" }, "a"],
  [{ version: "c", "app.kubernetes.io/version": "b" }, "b"],
  [{ version: "c" }, "c"],
  [{}, "latest"],
])("canonical revision of labels %j", (labels, expected) => {
  expect(canonicalRevision(metadataOf(labels))).toBe(expected);
});
