import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { inNetworkNamespace } from "../kernel/network-namespace.ts";
import { captureStateOf, mayUseNamespaces, outputOf, testNamespace } from "../testing/test-namespace.ts";
import { Capture, type CaptureMemory } from "./capture.ts";
import type { Sysctls } from "./sysctls.ts";

const inNamespaces = test.runIf(mayUseNamespaces);

const NO_MEMORY: CaptureMemory = { recall: () => new Map(), keep: () => undefined, forget: () => undefined };

const captured = async (probeAddresses: readonly string[] = []) => {
  const namespace = await testNamespace();
  const before = await captureStateOf(namespace);
  const capture = new Capture(namespace, probeAddresses, NO_MEMORY);
  capture.prepare();
  await capture.install();
  return { namespace, before, capture, run: (command: string) => outputOf(namespace, command) };
};

inNamespaces.each([[[]], [["10.9.0.7"]], [["fd99::7"]], [["10.9.0.7", "fd99::7", "fd99::8"]]])(
  "nft takes the rules with the probes %j, and the way back is there once for each family",
  async (probes) => {
    const { capture, run } = await captured(probes);
    for (const address of probes) expect(await run("nft list table inet heddle")).toContain(address);
    for (const family of [4, 6]) {
      const rules = (await run(`ip -${family} rule show`)).split("\n").filter((line) => line.includes("0x111/0xfff"));
      expect(rules).toEqual([expect.stringMatching(/^32764:.* lookup 100/)]);
      expect(await run(`ip -${family} route show table 100`)).toMatch(/^local .*dev lo/);
    }
    expect(await capture.check()).toBeUndefined();
  },
);

inNamespaces("what an earlier supervisor left is replaced, not added to", async () => {
  const { namespace, run } = await captured();
  const first = await captureStateOf(namespace);
  const second = new Capture(namespace, [], NO_MEMORY);
  second.prepare();
  await second.install();
  expect(await captureStateOf(namespace)).toBe(first);
  expect((await run("nft list table inet heddle")).match(/redirect to :15001/g)?.length).toBe(1);
});

inNamespaces("release leaves the namespace as it was found", async () => {
  const { namespace, before, capture } = await captured(["10.9.0.7"]);
  expect(await captureStateOf(namespace)).not.toBe(before);
  await capture.release();
  expect(await captureStateOf(namespace)).toBe(before);
  await capture.release();
  expect(await captureStateOf(namespace)).toBe(before);
});

inNamespaces("rules that nft refuses leave nothing behind: no rule, no route, no setting", async () => {
  const namespace = await testNamespace();
  const before = await captureStateOf(namespace);
  const capture = new Capture(namespace, ["not-an-address"], NO_MEMORY);
  capture.prepare();
  await expect(capture.install()).rejects.toThrow(/^nft -f -: /);
  capture.abandon();
  expect(await captureStateOf(namespace)).toBe(before);
});

inNamespaces("rules that nft refuses leave those in force that are there", async () => {
  const { namespace } = await captured();
  const before = await captureStateOf(namespace);
  await expect(new Capture(namespace, ["not-an-address"], NO_MEMORY).install()).rejects.toThrow(/^nft -f -: /);
  expect(await captureStateOf(namespace)).toBe(before);
});

inNamespaces.each([
  ["gone", "nft delete table inet heddle", "the nft rules are gone"],
  ["flushed", "nft flush ruleset", "the nft rules are gone"],
  ["changed", "nft insert rule inet heddle nat_output accept", "the nft rules were changed"],
])("rules that are %s are noticed at the next look, and can be put back", async (_, command, problem) => {
  const { namespace, capture, run } = await captured();
  const before = await captureStateOf(namespace);
  await run(command);
  expect(await capture.check()).toBe(problem);
  await capture.install();
  expect(await captureStateOf(namespace)).toBe(before);
  expect(await capture.check()).toBeUndefined();
});

inNamespaces("rules of others may come and go", async () => {
  const { capture, run } = await captured();
  await run("nft add table inet other");
  expect(await capture.check()).toBeUndefined();
  await run("nft delete table inet other");
  expect(await capture.check()).toBeUndefined();
});

inNamespaces.each([4, 6])("an IPv%i routing rule that is gone is noticed within ten looks", async (family) => {
  const { capture, run } = await captured();
  await run(`ip -${family} rule del pref 32764`);
  const problems: (string | undefined)[] = [];
  for (let look = 0; look < 10; look++) problems.push(await capture.check());
  expect(problems.filter((problem) => problem !== undefined)).toEqual([`the IPv${family} routing rule is gone`]);
});

inNamespaces(
  "source ports are kept apart from the proxy's own, and strict path filters move to the other links",
  async () => {
    const namespace = await testNamespace();
    inNetworkNamespace(namespace, () => writeFileSync("/proc/sys/net/ipv4/conf/all/rp_filter", "1"));
    const before = await captureStateOf(namespace);
    const capture = new Capture(namespace, [], NO_MEMORY);
    capture.prepare();
    const setting = (name: string): Promise<string> => outputOf(namespace, `cat /proc/sys/net/ipv4/${name}`);
    expect(await setting("ip_local_port_range")).toBe("10240\t60999\n");
    expect(await setting("ip_local_reserved_ports")).toBe("15001,15006,15008,15053\n");
    expect(await setting("tcp_tw_reuse")).toBe("1\n");
    expect(await setting("conf/all/rp_filter")).toBe("0\n");
    expect(await setting("conf/lo/rp_filter")).toBe("0\n");
    expect(await setting("conf/far0/rp_filter")).toBe("1\n");
    capture.abandon();
    expect(await captureStateOf(namespace)).toBe(before);
  },
);

/** What a supervisor writes down, and the next one finds. */
const memory = (): CaptureMemory & { kept: Sysctls } => ({
  kept: new Map(),
  recall() {
    return this.kept;
  },
  keep(sysctls) {
    this.kept = sysctls;
  },
  forget() {
    this.kept = new Map();
  },
});

inNamespaces.each([0, 1, 2])(
  "however many supervisors were killed, the last one puts back what the first one found (path filter %i)",
  async (strictness) => {
    const namespace = await testNamespace();
    inNetworkNamespace(namespace, () => {
      writeFileSync("/proc/sys/net/ipv4/conf/all/rp_filter", String(strictness));
      writeFileSync("/proc/sys/net/ipv4/ip_local_port_range", "20000 50000");
      writeFileSync("/proc/sys/net/ipv4/ip_local_reserved_ports", "20080");
    });
    const before = await captureStateOf(namespace);
    const written = memory();
    for (let killed = 0; killed < 2; killed++) {
      const capture = new Capture(namespace, [], written);
      capture.prepare();
      await capture.install();
    }
    const prepared = await captureStateOf(namespace);
    const last = new Capture(namespace, [], written);
    last.prepare();
    await last.install();
    expect(await captureStateOf(namespace)).toBe(prepared);
    await last.release();
    expect(await captureStateOf(namespace)).toBe(before);
    expect(written.kept.size).toBe(0);
  },
);

inNamespaces("what was remembered of another namespace is not believed of this one", async () => {
  const namespace = await testNamespace();
  const before = await captureStateOf(namespace);
  const written = memory();
  written.kept = new Map([["ip_local_port_range", { before: "1 2", set: "3 4" }]]);
  const capture = new Capture(namespace, [], written);
  capture.prepare();
  await capture.install();
  await capture.release();
  expect(await captureStateOf(namespace)).toBe(before);
});

inNamespaces("a setting that somebody else has made meanwhile stays", async () => {
  const { namespace, capture } = await captured();
  inNetworkNamespace(namespace, () => writeFileSync("/proc/sys/net/ipv4/tcp_tw_reuse", "0"));
  await capture.release();
  expect(await outputOf(namespace, "cat /proc/sys/net/ipv4/tcp_tw_reuse")).toBe("0\n");
});

inNamespaces("what an earlier supervisor left is remembered after a failure, what this one made is not", async () => {
  const namespace = await testNamespace();
  const written = memory();
  const first = new Capture(namespace, [], written);
  first.prepare();
  expect(written.kept.size).toBeGreaterThan(0);
  const second = new Capture(namespace, [], written);
  second.prepare();
  second.abandon();
  expect(written.kept.size).toBeGreaterThan(0);
  first.abandon();
  expect(written.kept.size).toBe(0);
});
