import { readlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { openDescriptors } from "../testing/open-descriptors.ts";
import { mayUseNamespaces, testNamespace } from "../testing/test-namespace.ts";
import {
  closeNetworkNamespace,
  inNetworkNamespace,
  openNetworkNamespace,
  ownNetworkNamespace,
} from "./network-namespace.ts";

const inNamespaces = test.runIf(mayUseNamespaces);

const current = (): string => readlinkSync("/proc/thread-self/ns/net");

test.each([
  ["that is not there", "/nonexistent", /ENOENT/],
  ["of a file", "/dev/null", /\/dev\/null is not a network namespace/],
  ["of a namespace of another kind", "/proc/self/ns/uts", /is not a network namespace/],
])("a path %s opens nothing", (_, path, problem) => {
  const before = openDescriptors();
  expect(() => openNetworkNamespace(path)).toThrow(problem);
  expect(openDescriptors()).toBe(before);
});

test("a namespace has one identity, however it is opened", () => {
  const again = openNetworkNamespace("/proc/self/ns/net");
  expect(again.identity).toBe(ownNetworkNamespace.identity);
  expect(again.fd).not.toBe(ownNetworkNamespace.fd);
  closeNetworkNamespace(again);
});

inNamespaces("another namespace has another identity, and what is done runs inside it", async () => {
  const own = current();
  const namespace = await testNamespace();
  expect(namespace.identity).not.toBe(ownNetworkNamespace.identity);
  const inside = inNetworkNamespace(namespace, current);
  expect(inside).toMatch(/^net:\[\d+\]$/);
  expect(inside).not.toBe(own);
  expect(current()).toBe(own);
});

inNamespaces("whoever throws inside comes back too", async () => {
  const own = current();
  const namespace = await testNamespace();
  const failing = (): never => {
    throw new Error(current());
  };
  expect(() => inNetworkNamespace(namespace, failing)).toThrow(/^net:/);
  expect(current()).toBe(own);
});

inNamespaces("what cannot be entered is said, and nothing is done", () => {
  let ran = false;
  const enter = (): void => inNetworkNamespace({ fd: 1_000_000, identity: "" }, () => void (ran = true));
  expect(enter).toThrow("setns into a pod's network namespace: EBADF");
  expect(ran).toBe(false);
});
