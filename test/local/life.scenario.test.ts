import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { commandLineOf, type KernelTraces, remainingTraces, tracesOf } from "./kernel-traces.ts";
import { TestMesh } from "./test-mesh.ts";
import { AMBIENT, greeter, namespace, pod, sleeper } from "./yaml.ts";

const objects = {
  "all.yaml": namespace("shop", AMBIENT) + greeter("shop/web-0") + sleeper("shop/client"),
};

const newMesh = (): TestMesh => {
  const mesh = new TestMesh(objects);
  onTestFinished(() => mesh.dispose());
  return mesh;
};

/** Starts `heddle up` in the foreground, and waits until everything is ready. */
const inForeground = async (mesh: TestMesh) => {
  const cli = mesh.spawn("up", mesh.objects, "--workers", "1", "-o", "json");
  const lines = createInterface(cli.stdout);
  const events: { readonly event: string; readonly pod?: string }[] = [];
  lines.on("line", (line) => events.push(JSON.parse(line) as { readonly event: string }));
  await expect.poll(() => events.map(({ event }) => event), { timeout: 20_000 }).toContain("ready");
  return { cli, events };
};

const nothingRemains = (traces: KernelTraces): Promise<void> => {
  expect(traces.namespaces.size).toBeGreaterThan(10);
  return expect.poll(() => remainingTraces(traces), { timeout: 10_000 }).toEqual([]);
};

test("a mesh in the background is up until it is taken down, and then nothing of it is left", async () => {
  const mesh = newMesh();
  await mesh.upAndReady();
  const traces = tracesOf(mesh.name);
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toMatch(/ \/run\/heddle| heddle /);
  const { code, stdout } = await mesh.heddle("down");
  expect([code, stdout]).toEqual([0, `mesh ${mesh.name} is down\n`]);
  await nothingRemains(traces);
  expect(existsSync(join(mesh.state, "heddle.sock"))).toBe(false);
});

test("a mesh in the foreground tells its progress, and ends in order when it is interrupted", async () => {
  const mesh = newMesh();
  const { cli, events } = await inForeground(mesh);
  expect(events[0]?.event).toBe("starting");
  expect(events.flatMap(({ pod }) => pod ?? []).sort()).toEqual(["shop/client", "shop/web-0"]);
  const traces = tracesOf(mesh.name);
  cli.kill("SIGINT");
  expect((await once(cli, "close"))[0]).toBe(0);
  expect(events.slice(-2).map(({ event }) => event)).toEqual(["stopping", "stopped"]);
  await nothingRemains(traces);
});

test("a mesh in the foreground that is taken down from elsewhere ends well", async () => {
  const mesh = newMesh();
  const { cli, events } = await inForeground(mesh);
  const closed = once(cli, "close");
  await mesh.heddle("down");
  expect([(await closed)[0], events.at(-1)?.event]).toEqual([0, "stopped"]);
});

const victims: readonly (readonly [string, (pid: number) => boolean])[] = [
  ["the command that started it", (pid) => /cli\/main\.ts up/.test(commandLineOf(pid))],
  ["what holds its namespaces", (pid) => /^unshare .*--kill-child .*local\/main\.ts/.test(commandLineOf(pid))],
  ["its first process", (pid) => /^sh \S*init\.sh .*local\/main\.ts/.test(commandLineOf(pid))],
  [
    "its runtime",
    (pid) => /bin\/node .*local\/main\.ts/.test(commandLineOf(pid)) && !/^(?:sh|unshare)/.test(commandLineOf(pid)),
  ],
];

test.each(victims)("when %s is killed nothing is left", async (_, isVictim) => {
  const mesh = newMesh();
  const { cli } = await inForeground(mesh);
  const traces = tracesOf(mesh.name);
  const victim = [cli.pid ?? 0, ...traces.pids].find(isVictim);
  process.kill(victim ?? expect.fail("there is no such process"), "SIGKILL");
  await nothingRemains(traces);
});

test("a runtime that is told to end by a signal ends in order", async () => {
  const mesh = newMesh();
  const { cli } = await inForeground(mesh);
  const traces = tracesOf(mesh.name);
  const first = traces.pids.find((pid) => /^sh \S*init\.sh .*local\/main\.ts/.test(commandLineOf(pid)));
  process.kill(first ?? 0, "SIGTERM");
  expect((await once(cli, "close"))[0]).toBe(0);
  await nothingRemains(traces);
});

test("a mesh that was killed is started again over what it left, with the same addresses", async () => {
  const mesh = newMesh();
  await mesh.upAndReady();
  const before = (await mesh.pod("shop/web-0"))?.addresses;
  for (const pid of tracesOf(mesh.name).pids.filter(
    (pid) => commandLineOf(pid).startsWith("unshare ") && /local\/main/.test(commandLineOf(pid)),
  )) {
    process.kill(pid, "SIGKILL");
  }
  await expect.poll(async () => (await mesh.heddle("status")).code, { timeout: 5_000 }).toBe(4);
  expect(existsSync(join(mesh.state, "heddle.sock"))).toBe(true);
  await mesh.upAndReady();
  expect((await mesh.pod("shop/web-0"))?.addresses).toEqual(before);
});

test("a name that is up is refused, and the mesh that has it goes on", async () => {
  const mesh = newMesh();
  await mesh.upAndReady();
  const { code, stderr } = await mesh.up();
  expect([code, stderr]).toEqual([1, expect.stringContaining(`a mesh called ${mesh.name} is up already`)]);
  expect((await mesh.heddle("status")).code).toBe(0);
});

test("of two that start with the same name at once, one is refused", async () => {
  const mesh = newMesh();
  const results = await Promise.all([mesh.up(), mesh.up()]);
  expect(results.map(({ code }) => Number(code)).sort((a, b) => a - b)).toEqual([0, 1]);
  expect(results.map(({ stderr }) => stderr).join("")).toContain("is up already");
  expect((await mesh.heddle("status")).code).toBe(0);
});

test("meshes live side by side, with the same addresses, and know nothing of each other", async () => {
  const [one, other] = [newMesh(), newMesh()];
  await Promise.all([one.upAndReady(), other.upAndReady()]);
  expect((await one.pod("shop/web-0"))?.addresses).toEqual((await other.pod("shop/web-0"))?.addresses);
  expect(await one.exec("shop/client", "hostname")).toBe("client");
  const traces = tracesOf(one.name);
  await one.heddle("down");
  await nothingRemains(traces);
  expect(await other.exec("shop/client", "hostname")).toBe("client");
});

test("a pod that takes its time holds up nobody who takes the mesh down", async () => {
  const mesh = newMesh();
  mesh.write("slow.yaml", pod("shop/stubborn", ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]));
  await mesh.upAndReady();
  const startedAt = Date.now();
  expect((await mesh.heddle("down")).code).toBe(0);
  expect(Date.now() - startedAt).toBeGreaterThan(1_900);
  expect(Date.now() - startedAt).toBeLessThan(6_000);
});

test("a folder below /run is refused, because a mesh has a /run of its own", async () => {
  const { code, stderr } = await newMesh().heddle("up", "/run", "-d");
  expect([code, stderr]).toEqual([1, expect.stringContaining("objects /run cannot be seen by a mesh")]);
});
