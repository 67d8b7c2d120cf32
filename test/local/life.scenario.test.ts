import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { commandLineOf, type KernelTraces, remainingTraces, tracesOf } from "./kernel-traces.ts";
import { complaints, TestMesh } from "./test-mesh.ts";
import { AMBIENT, greeter, namespace, pod, sleeper } from "./yaml.ts";

const objects = {
  "all.yaml": namespace("shop", AMBIENT) + greeter("shop/web-0") + sleeper("shop/client"),
};

/** A pod that ends only when it is killed, after two seconds. */
const STUBBORN = pod("shop/stubborn", ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]);

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
  // So long does `heddle up` itself wait.
  await expect.poll(() => events.map(({ event }) => event), { timeout: 60_000 }).toContain("ready");
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

/** `heddle up`, to be interrupted; what it says, and with which code it ends. */
const starting = (mesh: TestMesh, ...args: readonly string[]) => {
  const cli = mesh.spawn("up", mesh.objects, "--workers", "1", ...args);
  const ended = Promise.all([text(cli.stdout), text(cli.stderr), once(cli, "close")]).then(
    ([stdout, stderr, [code]]) => ({ stdout, stderr, code: code as unknown }),
  );
  return { cli, ended };
};

const wasTakenDown = async (mesh: TestMesh, ended: ReturnType<typeof starting>["ended"]): Promise<void> => {
  const { stdout, stderr, code } = await ended;
  expect([complaints(stderr), code]).toEqual(["", 130]);
  expect(stdout).toMatch(new RegExp(`stopping mesh ${mesh.name}\nmesh ${mesh.name} is down\n$`));
  expect((await mesh.heddle("status")).code).toBe(4);
  expect(tracesOf(mesh.name).pids).toEqual([]);
};

test.each([
  ["before there is a mesh that could be asked to end", [], 600],
  ["while it starts", [], 2_000],
  ["while it starts in the background", ["--detach"], 2_000],
] as const)("whoever interrupts a mesh %s gets what he wanted, and nothing is left", async (_, args, pauseMs) => {
  const mesh = newMesh();
  const { cli, ended } = starting(mesh, ...args);
  await once(cli.stdout, "readable");
  await delay(pauseMs);
  cli.kill("SIGINT");
  await wasTakenDown(mesh, ended);
});

test("whoever interrupts a mesh again does not wait for its pods, and hears of no failure", async () => {
  const mesh = newMesh();
  mesh.write("slow.yaml", STUBBORN);
  const { cli, events } = await inForeground(mesh);
  const traces = tracesOf(mesh.name);
  const ended = Promise.all([text(cli.stderr), once(cli, "close")]);
  const startedAt = Date.now();
  cli.kill("SIGINT");
  await delay(300);
  cli.kill("SIGINT");
  const [stderr, [code]] = await ended;
  expect(Date.now() - startedAt).toBeLessThan(2_000);
  expect([complaints(stderr), code]).toEqual(["", 0]);
  expect(events.slice(-2).map(({ event }) => event)).toEqual(["stopping", "stopped"]);
  await nothingRemains(traces);
});

test("a mesh whose output nobody reads while it starts ends in order", async () => {
  const mesh = newMesh();
  const cli = mesh.spawn("up", mesh.objects, "--workers", "1");
  const ended = Promise.all([text(cli.stderr), once(cli, "close")]);
  cli.stdout.once("data", () => cli.stdout.destroy());
  const [stderr, [code]] = await ended;
  expect([complaints(stderr), code]).toEqual(["", 141]);
  expect(tracesOf(mesh.name).pids).toEqual([]);
  expect(existsSync(join(mesh.state, "heddle.sock"))).toBe(false);
});

test("a control plane that cannot start says why, and nobody waits for it", async () => {
  const mesh = newMesh();
  mkdirSync(join(mesh.state, "ca"), { recursive: true });
  writeFileSync(join(mesh.state, "ca/state.json"), "{");
  const startedAt = Date.now();
  const { code, stdout } = await mesh.up();
  expect(Date.now() - startedAt).toBeLessThan(30_000);
  const complaint = /control plane: ended \(exit code 1\): the control plane cannot start: .*state\.json is damaged/;
  expect([code, stdout]).toEqual([3, expect.stringMatching(complaint)]);
  expect((await mesh.heddle("status")).stdout).toMatch(complaint);
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
  mesh.write("slow.yaml", STUBBORN);
  await mesh.upAndReady();
  const startedAt = Date.now();
  expect((await mesh.heddle("down")).code).toBe(0);
  expect(Date.now() - startedAt).toBeGreaterThan(2_000);
  expect(Date.now() - startedAt).toBeLessThan(20_000);
});

test("a folder below /run is refused, because a mesh has a /run of its own", async () => {
  const { code, stderr } = await newMesh().heddle("up", "/run", "-d");
  expect([code, stderr]).toEqual([1, expect.stringContaining("objects /run cannot be seen by a mesh")]);
});
