import { expect, test } from "vitest";
import { closeDescriptors } from "../channel/descriptor-channel.ts";
import { close } from "../kernel/libc.ts";
import { inNetworkNamespace } from "../kernel/network-namespace.ts";
import { makeListener } from "../kernel/pod-sockets.ts";
import { fileOf, openDescriptors } from "../testing/open-descriptors.ts";
import { captureStateOf, mayUseNamespaces, outputOf, testNamespace } from "../testing/test-namespace.ts";
import { CapturedNamespaces } from "./captured-namespaces.ts";
import { EnrolledPod } from "./enrolled-pod.ts";
import type { EnrolmentRecord } from "./enrolment.ts";

const captured = new CapturedNamespaces("/nonexistent");

const inNamespaces = test.runIf(mayUseNamespaces);

const record = (netns: string, changes: Partial<EnrolmentRecord> = {}): EnrolmentRecord => ({
  uid: "a",
  namespace: "shop",
  name: "web-0",
  serviceAccount: "web",
  addresses: ["10.9.0.1"],
  netns,
  node: "node-1",
  probeAddresses: [],
  capabilities: ["CHOWN", "CAP_NET_RAW"],
  ...changes,
});

test.each([
  ["is not there", "/nonexistent", /ENOENT/],
  ["is no namespace", "/dev/null", /is not a network namespace/],
  ["is a namespace of another kind", "/proc/self/ns/mnt", /is not a network namespace/],
  ["is the node's own", "/proc/self/ns/net", /the node's own network namespace/],
])("a pod whose namespace %s is refused, and nothing stays open", (_, path, problem) => {
  const before = openDescriptors();
  expect(() => new EnrolledPod(1, record(path), captured)).toThrow(problem);
  expect(openDescriptors()).toBe(before);
});

inNamespaces("a pod listens on the three ports, and keeps its sockets when duplicates are given away", async () => {
  const namespace = await testNamespace();
  const pod = new EnrolledPod(1, record(namespace.path), captured);
  await pod.start();
  const ports = async (): Promise<readonly string[]> =>
    ((await outputOf(namespace, "ss -tlnH")).match(/:\d+(?= )/g) ?? []).sort();
  expect(await ports()).toEqual([":15001", ":15006", ":15008"]);
  const [first, second] = [pod.duplicateListeners(), pod.duplicateListeners()];
  expect(first.map(fileOf)).toEqual(second.map(fileOf));
  expect(new Set([...first, ...second]).size).toBe(6);
  closeDescriptors([...first, ...second]);
  expect((await ports()).length).toBe(3);
  await pod.release();
  expect(await ports()).toEqual([]);
});

inNamespaces("release closes everything and leaves the namespace as it was found", async () => {
  const namespace = await testNamespace();
  const [before, state] = [openDescriptors(), await captureStateOf(namespace)];
  const pod = new EnrolledPod(1, record(namespace.path), captured);
  await pod.start();
  await pod.release();
  expect(await captureStateOf(namespace)).toBe(state);
  expect(openDescriptors()).toBe(before);
});

inNamespaces(
  "a pod that listens on a port of the proxy's itself is refused, and everything taken is given back",
  async () => {
    const namespace = await testNamespace();
    const before = openDescriptors();
    const taken = inNetworkNamespace(namespace, () => makeListener(15008));
    const state = await captureStateOf(namespace);
    const pod = new EnrolledPod(1, record(namespace.path), captured);
    await expect(pod.start()).rejects.toThrow(/port 15008: EADDRINUSE/);
    pod.abandon();
    expect(await captureStateOf(namespace)).toBe(state);
    close(taken);
    expect(openDescriptors()).toBe(before);
  },
);

inNamespaces("a pod whose rules nft refuses gives back its sockets, its settings and its namespace", async () => {
  const namespace = await testNamespace();
  const [before, state] = [openDescriptors(), await captureStateOf(namespace)];
  const pod = new EnrolledPod(1, record(namespace.path, { probeAddresses: ["not-an-address"] }), captured);
  await expect(pod.start()).rejects.toThrow(/^nft/);
  pod.abandon();
  expect(await captureStateOf(namespace)).toBe(state);
  expect(openDescriptors()).toBe(before);
});

inNamespaces("outbound sockets are made in the pod's namespace, as many as are asked for", async () => {
  const namespace = await testNamespace();
  const pod = new EnrolledPod(1, record(namespace.path), captured);
  const sockets = pod.makeSockets("direct", 5);
  expect(new Set(sockets.map(fileOf)).size).toBe(5);
  closeDescriptors(sockets);
  pod.letGo();
});

inNamespaces("agent and workers are told what they need of a pod, with the capabilities that are a risk", async () => {
  const namespace = await testNamespace();
  const pod = new EnrolledPod(1, record(namespace.path), captured);
  expect(pod.message).toEqual({
    uid: "a",
    namespace: "shop",
    name: "web-0",
    serviceAccount: "web",
    addresses: ["10.9.0.1"],
    node: "node-1",
    riskyCapabilities: ["NET_RAW"],
  });
  expect(pod.namespaceIdentity).toBe(namespace.identity);
  pod.letGo();
});
