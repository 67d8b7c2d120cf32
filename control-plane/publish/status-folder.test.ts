import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { parse } from "yaml";
import type { RouteCondition } from "#mesh/admin/control-plane-status.ts";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import type { DerivedStatus } from "../derive/derived-status.ts";
import { memoryLog } from "../testing/memory-log.ts";
import { temporaryDirectory, writeFiles } from "../testing/temporary-directory.ts";
import { StatusFolder } from "./status-folder.ts";

const condition = (type: RouteCondition["type"], status: RouteCondition["status"], generation = 1): RouteCondition => ({
  type,
  status,
  reason: type,
  message: "yes: no, 'perhaps'",
  observedGeneration: generation,
});

const webParent = { group: "", kind: "Service", namespace: undefined, name: "web", sectionName: undefined, port: 80 };

const status = (name: string, conditions: readonly RouteCondition[], generation = 1): DerivedStatus => {
  const entry = { parentRef: webParent, controllerName: "heddle.dev/mesh-controller", conditions };
  const apiVersion = "gateway.networking.k8s.io/v1";
  return { apiVersion, kind: "HTTPRoute", namespace: "shop", name, generation, field: "parents", entries: [entry] };
};

const GOOD = [condition("Accepted", "True"), condition("ResolvedRefs", "True")];

const setUp = (path = join(temporaryDirectory(), "status")) => {
  const [clock, log] = [new ManualClock(), memoryLog()];
  const folder = new StatusFolder({ path, clock, random: () => 0.5, log });
  onTestFinished(() => folder.stop());
  const fileOf = (name: string): string => join(path, "HTTPRoute/shop", `${name}.yaml`);
  const read = (name: string): unknown => parse(readFileSync(fileOf(name), "utf8"));
  /** When a condition got the status that it has. */
  const timeOf = (name: string, type: string): string | undefined =>
    (
      read(name) as {
        status: { parents: readonly { conditions: { type: string; lastTransitionTime: string }[] }[] };
      }
    ).status.parents[0]?.conditions.find((each) => each.type === type)?.lastTransitionTime;
  return { path, clock, log, folder, fileOf, read, timeOf };
};

const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000, interval: 5 });

test("a status is written as an API server would show it", async () => {
  const { folder, read } = setUp();
  folder.set([status("web", GOOD, 7)]);
  await eventually(() =>
    expect(read("web")).toEqual({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "web", namespace: "shop", generation: 7 },
      status: {
        parents: [
          {
            parentRef: { group: "", kind: "Service", name: "web", port: 80 },
            controllerName: "heddle.dev/mesh-controller",
            conditions: GOOD.map((each) => ({ ...each, lastTransitionTime: "2026-01-01T00:00:00Z" })),
          },
        ],
      },
    }),
  );
});

test("what is text is text to readers of YAML 1.1 too", async () => {
  const { folder, fileOf } = setUp();
  folder.set([status("on", [{ ...condition("Accepted", "True"), message: "no" }])]);
  await eventually(() => expect(existsSync(fileOf("on"))).toBe(true));
  const { metadata, status: shown } = parse(readFileSync(fileOf("on"), "utf8"), { schema: "yaml-1.1" }) as {
    metadata: unknown;
    status: { parents: readonly { conditions: readonly unknown[] }[] };
  };
  expect(metadata).toMatchObject({ name: "on" });
  const texts = { status: "True", message: "no", lastTransitionTime: "2026-01-01T00:00:00Z" };
  expect(shown.parents[0]?.conditions).toMatchObject([texts]);
});

test("a condition keeps its time while its status is the same, whatever else changes", async () => {
  const { folder, clock, read, timeOf } = setUp();
  folder.set([status("web", GOOD)]);
  clock.advance(60_000);
  folder.set([status("web", [condition("Accepted", "True", 2), condition("ResolvedRefs", "False", 2)], 2)]);
  await eventually(() => expect(read("web")).toMatchObject({ metadata: { generation: 2 } }));
  expect(timeOf("web", "Accepted")).toBe("2026-01-01T00:00:00Z");
  expect(timeOf("web", "ResolvedRefs")).toBe("2026-01-01T00:01:00Z");
});

test("a restart is no transition, and what is gone meanwhile goes", async () => {
  const first = setUp();
  first.folder.set([status("web", GOOD), status("gone", GOOD)]);
  await eventually(() => expect(readdirSync(dirname(first.fileOf("web"))).sort()).toEqual(["gone.yaml", "web.yaml"]));
  await first.folder.stop();

  const second = setUp(first.path);
  second.clock.advance(3_600_000);
  await second.folder.open();
  second.folder.set([status("web", [condition("Accepted", "True"), condition("ResolvedRefs", "False")])]);
  await eventually(() => {
    expect(second.timeOf("web", "ResolvedRefs")).toBe("2026-01-01T01:00:00Z");
    expect(existsSync(second.fileOf("gone"))).toBe(false);
  });
  expect(second.timeOf("web", "Accepted")).toBe("2026-01-01T00:00:00Z");
});

test("an object that goes takes its status with it, and the folder it was alone in", async () => {
  const { folder, path, fileOf } = setUp();
  folder.set([status("web", GOOD)]);
  await eventually(() => expect(existsSync(fileOf("web"))).toBe(true));
  folder.set([]);
  await eventually(() => expect(readdirSync(join(path, "HTTPRoute"))).toEqual([]));
});

test("what is the same is not written again", async () => {
  const { folder, fileOf } = setUp();
  const web = status("web", GOOD);
  folder.set([web]);
  await eventually(() => expect(existsSync(fileOf("web"))).toBe(true));
  writeFileSync(fileOf("web"), "touched");
  folder.set([web, status("other", GOOD)]);
  folder.set([status("web", GOOD), status("third", GOOD)]);
  await eventually(() => expect(existsSync(fileOf("third"))).toBe(true));
  expect(readFileSync(fileOf("web"), "utf8")).toBe("touched");
});

test("files of others, and what is no status of its file, are neither read nor removed", async () => {
  const { folder, path, fileOf } = setUp();
  const metadata = "metadata: {namespace: shop, name: other}";
  const foreign = {
    "HTTPRoute/shop/notes.txt": "{",
    "HTTPRoute/shop/broken.yaml": "{",
    "HTTPRoute/shop/moved.yaml": `{kind: HTTPRoute, ${metadata}, status: {parents: []}}`,
    "Secret/shop/other.yaml": `{kind: Secret, ${metadata}, status: {parents: []}}`,
  };
  writeFiles(path, foreign);
  await folder.open();
  folder.set([status("web", GOOD)]);
  await eventually(() => expect(existsSync(fileOf("web"))).toBe(true));
  for (const file of Object.keys(foreign)) expect(existsSync(join(path, file)), file).toBe(true);
});

test("what cannot be written is said once, keeps nothing else from being written, and is tried again until it can be", async () => {
  const { folder, path, clock, log, fileOf } = setUp();
  mkdirSync(join(fileOf("stuck"), "in the way"), { recursive: true });
  folder.set([status("stuck", GOOD), status("web", GOOD)]);
  await eventually(() => expect(folder.problem).toMatch(/^HTTPRoute\/shop\/stuck\.yaml: E/));
  expect(existsSync(fileOf("web"))).toBe(true);
  expect(readdirSync(path)).toEqual(["HTTPRoute"]);
  const retryIsDue = () => eventually(() => expect(clock.waiting).toBe(1));
  for (let retry = 0; retry < 3; retry++) {
    await retryIsDue();
    clock.advance(20_000);
  }
  await retryIsDue();
  expect(log.lines.filter(({ level }) => level === "warn").length).toBe(1);
  rmSync(fileOf("stuck"), { recursive: true });
  clock.advance(20_000);
  await eventually(() => expect(folder.problem).toBeUndefined());
  expect(readFileSync(fileOf("stuck"), "utf8")).toContain("name: stuck");
  expect(log.lines.at(-1)?.message).toMatch(/are written to .* again$/);
});
