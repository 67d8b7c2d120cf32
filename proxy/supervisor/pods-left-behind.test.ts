import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { captureStateOf, mayUseNamespaces, testNamespace } from "../testing/test-namespace.ts";
import { openDescriptors } from "../testing/open-descriptors.ts";
import { CapturedNamespaces } from "./captured-namespaces.ts";
import { EnrolledPod } from "./enrolled-pod.ts";
import type { EnrolmentRecord } from "./enrolment.ts";
import type { MakePod } from "./node-proxy.ts";
import { podsLeftBehind } from "./pods-left-behind.ts";

const inNamespaces = test.runIf(mayUseNamespaces);

const record = (netns: string): EnrolmentRecord => ({
  uid: "a",
  namespace: "shop",
  name: "web-0",
  serviceAccount: "web",
  addresses: ["10.9.0.1"],
  netns,
  node: "node-1",
  probeAddresses: [],
  capabilities: [],
});

const remembering = () => {
  const runDir = mkdtempSync(join(tmpdir(), "heddle-run-"));
  onTestFinished(() => rmSync(runDir, { recursive: true }));
  const captured = new CapturedNamespaces(runDir);
  const makePod: MakePod = (given, namespace) => new EnrolledPod(1, given, captured, namespace);
  return { captured, makePod, folder: join(runDir, "captured") };
};

inNamespaces("a pod of a supervisor that was killed is found, and everything of it can be taken away", async () => {
  const { captured, makePod, folder } = remembering();
  const namespace = await testNamespace();
  const before = await captureStateOf(namespace);
  const killed = makePod(record(namespace.path));
  await killed.start();
  killed.forget();
  const descriptors = openDescriptors();
  expect(podsLeftBehind(captured, makePod, (uid) => uid === "a")).toEqual([]);
  expect(podsLeftBehind(captured, makePod, (_, identity) => identity === namespace.identity)).toEqual([]);
  const [left, ...others] = podsLeftBehind(captured, makePod, () => false);
  expect([left?.record, others]).toEqual([record(namespace.path), []]);
  await left?.release();
  expect(await captureStateOf(namespace)).toBe(before);
  expect(readdirSync(folder)).toEqual([]);
  expect(openDescriptors()).toBe(descriptors);
});

inNamespaces(
  "what is remembered of a namespace that is another one by now is forgotten, and that one is left alone",
  async () => {
    const { captured, makePod, folder } = remembering();
    const namespace = await testNamespace();
    captured.write("4:1", { record: record(namespace.path), sysctls: new Map() });
    captured.write("4:2", { record: record("/nonexistent"), sysctls: new Map() });
    const descriptors = openDescriptors();
    expect(podsLeftBehind(captured, makePod, () => false)).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
    expect(openDescriptors()).toBe(descriptors);
  },
);

test("what was not written to its end, or by somebody else, is as good as not there", () => {
  const { captured, makePod, folder } = remembering();
  expect(captured.identities).toEqual([]);
  mkdirSync(folder);
  writeFileSync(join(folder, "4:1"), "");
  writeFileSync(join(folder, "4:2"), '{"record":{"uid":"a"}');
  writeFileSync(join(folder, "4:3.tmp"), "{}");
  expect(captured.read("4:1")).toBeUndefined();
  expect(podsLeftBehind(captured, makePod, () => false)).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
});

test("a folder that cannot be written is nobody's failure", () => {
  const captured = new CapturedNamespaces("/proc/nowhere");
  captured.write("4:1", { record: record("/a"), sysctls: new Map() });
  expect(captured.read("4:1")).toBeUndefined();
  expect(captured.identities).toEqual([]);
});
