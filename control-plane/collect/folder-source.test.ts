import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { systemClock } from "#mesh/clock.ts";
import { memoryLog } from "../testing/memory-log.ts";
import { temporaryDirectory, writeFiles } from "../testing/temporary-directory.ts";
import { FOLDER_SOURCE_DEFAULTS, FolderSource } from "./folder-source.ts";
import type { CollectedObject } from "./object-source.ts";

const service = (name: string, port = 80) =>
  `apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: ${name}}\nspec: {ports: [{port: ${port}}]}\n`;

const startIn = async (directory: string, options: { readonly assigned?: boolean } = {}) => {
  const objects = new Map<string, CollectedObject>();
  const log = memoryLog();
  let changes = 0;
  mkdirSync(join(directory, "objects"), { recursive: true });
  const source = new FolderSource(
    {
      ...FOLDER_SOURCE_DEFAULTS,
      objectsDirectory: join(directory, "objects"),
      assignedDirectory: options.assigned ? join(directory, "assigned") : undefined,
      lastGoodDirectory: join(directory, "last-good"),
    },
    systemClock,
    log,
  );
  const started = await source.start((change) => {
    changes += 1;
    for (const [key, object] of change) {
      if (object) objects.set(key, object);
      else objects.delete(key);
    }
  });
  onTestFinished(() => source.stop());
  const keys = () => [...objects.keys()].sort();
  const portOf = (name: string) => {
    const object = objects.get(`Service shop/${name}`)?.current;
    return object?.kind === "Service" ? object.ports[0]?.port : undefined;
  };
  return { source, started, objects, log, keys, portOf, changes: () => changes };
};

/** The promise of the folder source, with the look in which nothing happened yet. */
const WITHIN = { timeout: 1_000, interval: 20 };
/** Long enough for a change to have been seen and applied, if it were one. */
const quietTime = async (): Promise<void> => {
  await new Promise((resolve) => {
    setTimeout(resolve, 700);
  });
};

test("everything that is there at the start is told before the start is over", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": service("a"), "objects/sub/b.json": service("b") });
  expect((await startIn(directory)).keys()).toEqual(["Service shop/a", "Service shop/b"]);
});

test("a file that changes, appears or goes is told within a second", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": service("a"), "objects/b.yaml": service("b") });
  const { keys, portOf } = await startIn(directory);
  writeFiles(directory, { "objects/a.yaml": service("a", 81), "objects/new/c.yaml": service("c") });
  rmSync(join(directory, "objects/b.yaml"));
  await vi.waitFor(() => {
    expect(keys()).toEqual(["Service shop/a", "Service shop/c"]);
    expect(portOf("a")).toBe(81);
  }, WITHIN);
});

test("a file that is broken removes nothing, says so, and counts again when it is repaired", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": `${service("a")}---\n${service("b")}` });
  const { source, keys, portOf, log } = await startIn(directory);
  writeFiles(directory, { "objects/a.yaml": `${service("a", 81)}---\nkind: [` });
  await vi.waitFor(() => expect(portOf("a")).toBe(81), WITHIN);
  expect(keys()).toEqual(["Service shop/a", "Service shop/b"]);
  expect(source.statuses().map(({ name, accepted, serving }) => [name, accepted, serving])).toEqual([
    ["a", true, true],
    ["a.yaml#2", false, false],
    ["b", true, true],
  ]);
  expect(log.lines.map(({ message }) => message)).toEqual([expect.stringContaining("a.yaml#2: line 6, column ")]);
  writeFiles(directory, { "objects/a.yaml": service("a") });
  await vi.waitFor(() => expect(keys()).toEqual(["Service shop/a"]), WITHIN);
});

test("what was good before a file was broken is still there after a restart", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": service("a") });
  const first = await startIn(directory);
  writeFiles(directory, { "objects/a.yaml": "kind: [" });
  await vi.waitFor(() => expect(first.log.lines.length).toBe(1), WITHIN);
  await first.source.stop();
  const second = await startIn(directory);
  expect(second.keys()).toEqual(["Service shop/a"]);
  rmSync(join(directory, "objects/a.yaml"));
  await vi.waitFor(() => expect(second.keys()).toEqual([]), WITHIN);
  await second.source.stop();
  writeFiles(directory, { "objects/a.yaml": "kind: [" });
  expect((await startIn(directory)).keys()).toEqual([]);
});

test("the same object in two files is the one of the first by path, and moves on when that goes", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/b.yaml": service("a", 82), "objects/a.yaml": service("a", 81) });
  const { source, portOf } = await startIn(directory);
  expect(portOf("a")).toBe(81);
  expect(source.statuses()).toMatchObject([
    { source: "a.yaml#1", accepted: true, serving: true },
    {
      source: "b.yaml#1",
      accepted: false,
      serving: false,
      problems: [{ path: "metadata.name", message: "is already declared in a.yaml#1, whose path comes first" }],
    },
  ]);
  rmSync(join(directory, "objects/a.yaml"));
  await vi.waitFor(() => expect(portOf("a")).toBe(82), WITHIN);
  expect(source.statuses()).toMatchObject([{ source: "b.yaml#1", accepted: true, problems: [] }]);
});

test("a last good version is spoken of only where there is one", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, {
    "objects/a.yaml": `${service("a")}---\n${service("a", 81)}`,
    "objects/b.yaml": service("b"),
  });
  const { source, log } = await startIn(directory);
  const said = () => log.lines.map(({ message }) => message);
  expect(said()).toEqual(["a.yaml#2: metadata.name is already declared in a.yaml#1"]);
  expect(source.statuses()).toMatchObject([
    { source: "a.yaml#1", accepted: true, serving: true },
    { source: "a.yaml#2", accepted: false, serving: false },
    { source: "b.yaml#1", accepted: true, serving: true },
  ]);
  writeFiles(directory, { "objects/b.yaml": service("b", 99_999), "objects/c.yaml": service("c", 99_999) });
  const refusal = "spec.ports[0].port must be a whole number from 1 to 65535, not 99999";
  await vi.waitFor(
    () =>
      expect(said().slice(1).sort()).toEqual([
        `b.yaml#1: ${refusal}; the last good version stays in force`,
        `c.yaml#1: ${refusal}`,
      ]),
    WITHIN,
  );
  expect(source.statuses().slice(2)).toMatchObject([
    { source: "b.yaml#1", accepted: false, serving: true },
    { source: "c.yaml#1", accepted: false, serving: false },
  ]);
});

test("a file that is renamed removes nothing on its way", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": service("a") });
  const { objects, source } = await startIn(directory);
  const seen = new Set<boolean>();
  const watch = setInterval(() => seen.add(objects.has("Service shop/a")), 5);
  renameSync(join(directory, "objects/a.yaml"), join(directory, "objects/z.yaml"));
  await vi.waitFor(() => expect(source.statuses()[0]?.source).toBe("z.yaml#1"), WITHIN);
  clearInterval(watch);
  expect([...seen]).toEqual([true]);
});

test("writing the same text again is no change", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": service("a") });
  const { changes } = await startIn(directory);
  writeFiles(directory, { "objects/a.yaml": service("a") });
  await quietTime();
  expect(changes()).toBe(1);
});

test("X-05: a folder that goes away takes nothing with it, and says so", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": service("a") });
  const { source, keys } = await startIn(directory);
  renameSync(join(directory, "objects"), join(directory, "moved"));
  await quietTime();
  expect(keys()).toEqual(["Service shop/a"]);
  expect(source.statuses().at(-1)).toMatchObject({ kind: "File", name: "the folder of objects", accepted: false });
});

test("X-05: without its folder nothing starts: an empty mesh would be worse", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { objects: "a file" });
  const source = new FolderSource(
    {
      ...FOLDER_SOURCE_DEFAULTS,
      objectsDirectory: join(directory, "missing"),
      assignedDirectory: undefined,
      lastGoodDirectory: join(directory, "last-good"),
    },
    systemClock,
    memoryLog(),
  );
  expect(await source.start(() => {})).toMatchObject({ ok: false, error: expect.stringContaining("ENOENT") as string });
});

test("a file that cannot be read any more keeps what it had", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": service("a") });
  const { source, keys } = await startIn(directory);
  rmSync(join(directory, "objects/a.yaml"));
  symlinkSync("a.yaml", join(directory, "objects/a.yaml"));
  await vi.waitFor(() => expect(source.statuses()[1]).toMatchObject({ kind: "File", accepted: false }), WITHIN);
  await quietTime();
  expect(keys()).toEqual(["Service shop/a"]);
});

test("X-10: a file of 100 MB is a problem and is not read", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": service("a"), "objects/b.yaml": "#".repeat(100_000_000) });
  const { source, keys } = await startIn(directory);
  expect(keys()).toEqual(["Service shop/a"]);
  expect(source.statuses().find(({ kind }) => kind === "File")).toMatchObject({
    name: "b.yaml",
    problems: [{ message: "b.yaml has 100000000 bytes, more than 16777216; split it into several files" }],
  });
});

const pod = "apiVersion: v1\nkind: Pod\nmetadata: {namespace: shop, name: web}\nspec: {containers: [{name: a}]}\n";
const assignedPod = JSON.stringify({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace: "shop", name: "web", uid: "u1" },
  spec: { nodeName: "node-1" },
  status: { phase: "Running", podIP: "10.0.0.1" },
});

test("what is assigned is laid onto what is declared, and goes with its file", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": pod, "assigned/Pod.shop.web.json": assignedPod });
  const { objects, source } = await startIn(directory, { assigned: true });
  const web = () => objects.get("Pod shop/web");
  expect(web()?.current).toMatchObject({ nodeName: "node-1", status: { addresses: ["10.0.0.1"] } });
  expect(web()?.declared).toMatchObject({ nodeName: "" });
  expect(source.statuses().map(({ kind }) => kind)).toEqual(["Pod"]);
  rmSync(join(directory, "assigned/Pod.shop.web.json"));
  await vi.waitFor(() => expect(web()?.current).toMatchObject({ nodeName: "", status: { addresses: [] } }), WITHIN);
});

test("an assignment never makes an object", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "assigned/Pod.shop.web.json": assignedPod });
  expect((await startIn(directory, { assigned: true })).keys()).toEqual([]);
});

test("a bad assignment keeps the last good one, and is reported", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "objects/a.yaml": pod, "assigned/Pod.shop.web.json": assignedPod });
  const { objects, source } = await startIn(directory, { assigned: true });
  writeFiles(directory, { "assigned/Pod.shop.web.json": assignedPod.replace("10.0.0.1", "10.0.0.") });
  await vi.waitFor(() => expect(source.statuses().length).toBe(2), WITHIN);
  expect(source.statuses()[1]).toMatchObject({
    source: "assigned/Pod.shop.web.json#1",
    accepted: false,
    problems: [{ path: "status.podIP" }],
  });
  expect(objects.get("Pod shop/web")?.current).toMatchObject({ status: { addresses: ["10.0.0.1"] } });
});
