import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { LogFolder } from "./log-folder.ts";

test("a run begins with empty logs, but for the runtime's own, which began before", () => {
  const path = temporaryFolder();
  for (const file of ["shop.web-0.log", "shop.web-0.log.1", "runtime.log"]) writeFileSync(join(path, file), "old\n");
  const logs = new LogFolder(path);
  expect(existsSync(logs.pathOf("shop.web-0"))).toBe(false);
  expect(existsSync(join(path, "shop.web-0.log.1"))).toBe(false);
  expect(readFileSync(logs.pathOf("runtime"), "utf8")).toBe("old\n");
});

test("whoever writes to a log by the same name writes to the same log", () => {
  const logs = new LogFolder(temporaryFolder());
  expect(logs.open("node-1")).toBe(logs.open("node-1"));
  expect(logs.find("node-1")).toBe(logs.open("node-1"));
  logs.close("node-1");
  expect(logs.find("node-1")).toBeUndefined();
});

test("a log is there from when it is opened, also after it was closed", () => {
  const logs = new LogFolder(temporaryFolder());
  expect(logs.has("shop.web-0")).toBe(false);
  logs.open("shop.web-0");
  logs.close("shop.web-0");
  expect(logs.has("shop.web-0")).toBe(true);
});
