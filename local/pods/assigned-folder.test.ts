import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isCaptured, podObject } from "#mesh/objects/pod.ts";
import { read } from "#mesh/objects/reader.ts";
import { serviceObject } from "#mesh/objects/service.ts";
import { unwrap } from "#mesh/result.ts";
import { address } from "../testing/inventory-examples.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { type AssignedPod, AssignedFolder, assignedPodObject, assignedServiceObject } from "./assigned-folder.ts";

const pod: AssignedPod = {
  namespace: "shop",
  name: "web-0",
  uid: "u1",
  node: "node-1",
  phase: "Running",
  ready: true,
  addresses: [address("10.244.1.10"), address("fd00:10:244:1::a")],
  captured: true,
  deletionTimestamp: undefined,
};

const withContainers = (assigned: object): unknown => {
  const object = JSON.parse(JSON.stringify(assigned)) as { spec: object };
  return { ...object, spec: { ...object.spec, containers: [] } };
};

test("what is assigned to a pod reads as a part of a Pod", () => {
  const parsed = unwrap(read(podObject, withContainers(assignedPodObject(pod))));
  expect(parsed).toMatchObject({
    nodeName: "node-1",
    metadata: { uid: "u1", namespace: "shop", name: "web-0", deletionTimestamp: undefined },
    status: { phase: "Running", ready: true, addresses: pod.addresses },
  });
  expect(isCaptured(parsed)).toBe(true);
});

test("a pod that is not captured, not ready, and ending says so", () => {
  const ending = { ...pod, captured: false, ready: false, deletionTimestamp: "2026-01-01T00:00:00Z" };
  const parsed = unwrap(read(podObject, withContainers(assignedPodObject(ending))));
  expect([isCaptured(parsed), parsed.status.ready, parsed.metadata.deletionTimestamp]).toEqual([
    false,
    false,
    "2026-01-01T00:00:00Z",
  ]);
});

test("what is assigned to a service reads as a part of a Service", () => {
  const assigned = assignedServiceObject({ namespace: "shop", name: "web", addresses: [address("10.96.0.16")] });
  expect(unwrap(read(serviceObject, assigned))).toMatchObject({ addresses: ["10.96.0.16"], headless: false });
});

test("the folder begins empty, whatever an earlier run left", () => {
  const path = temporaryFolder();
  writeFileSync(join(path, "Pod.shop.old.json"), "{}");
  void new AssignedFolder(path);
  expect(readdirSync(path)).toEqual([]);
});

test("each object is one file, which is only written when it changes", () => {
  const path = temporaryFolder();
  const folder = new AssignedFolder(path);
  folder.setPod(pod);
  folder.setServices([{ namespace: "shop", name: "web", addresses: [address("10.96.0.16")] }]);
  expect(readdirSync(path).sort()).toEqual(["Pod.shop.web-0.json", "Service.shop.web.json"]);
  const file = join(path, "Pod.shop.web-0.json");
  const { ino } = statSync(file);
  folder.setPod(pod);
  expect(statSync(file).ino).toBe(ino);
  folder.setPod({ ...pod, ready: false });
  expect(readFileSync(file, "utf8")).toContain('"False"');
});

test("what is no longer assigned is no longer there", () => {
  const path = temporaryFolder();
  const folder = new AssignedFolder(path);
  folder.setPod(pod);
  folder.setServices([{ namespace: "shop", name: "web", addresses: [address("10.96.0.16")] }]);
  folder.removePod("shop", "web-0");
  folder.setServices([]);
  expect(readdirSync(path)).toEqual([]);
});
