import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { address, exampleEndpoint, exampleService } from "../testing/inventory-examples.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { hostsFile, updateInPlace } from "./hosts-file.ts";

const owner = { namespace: "shop", name: "client", addresses: [address("10.244.2.10")] };

const linesOf = (...services: Parameters<typeof hostsFile>[1]): readonly string[] =>
  hostsFile(owner, services).trimEnd().split("\n");

test("a service of the pod's own namespace has all its names, the bare one too", () => {
  expect(linesOf(exampleService())).toContain("10.96.0.16 web.shop.svc.cluster.local web.shop.svc web.shop web");
});

test("a service of another namespace has no bare name", () => {
  const service = exampleService({ namespace: "bank", name: "ledger", addresses: [address("10.96.0.9")] });
  expect(linesOf(service)).toContain("10.96.0.9 ledger.bank.svc.cluster.local ledger.bank.svc ledger.bank");
});

test("both families of a service are there", () => {
  expect(linesOf(exampleService()).filter((line) => line.endsWith(" web"))).toHaveLength(2);
});

test("a headless service stands for its ready endpoints", () => {
  const endpoints = [exampleEndpoint("10.244.1.10"), exampleEndpoint("10.244.1.11", false)];
  const lines = linesOf(exampleService({ headless: true, addresses: [], endpoints }));
  expect(lines.filter((line) => line.includes("web"))).toEqual([
    "10.244.1.10 web.shop.svc.cluster.local web.shop.svc web.shop web",
  ]);
});

test("a pod finds itself by name", () => {
  expect(linesOf()).toContain("10.244.2.10 client");
});

test("the file stays the same file, and becomes shorter when the text does", () => {
  const path = join(temporaryFolder(), "hosts");
  writeFileSync(path, "a long text that was there before\n");
  const { ino } = statSync(path);
  expect(updateInPlace(path, "short\n")).toBe(true);
  expect([readFileSync(path, "utf8"), statSync(path).ino]).toEqual(["short\n", ino]);
  expect(updateInPlace(path, "short\n")).toBe(false);
});
