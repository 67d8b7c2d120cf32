import { once } from "node:events";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { ManagedProcess } from "./managed-process.ts";
import type { Command } from "./run-command.ts";

const managed = (...command: Command) => {
  const clock = new ManualClock();
  const log = new PassThrough();
  const process = new ManagedProcess({
    command,
    environment: { PATH: "/usr/bin:/bin" },
    log,
    clock,
    random: () => 0.5,
  });
  onTestFinished(() => process.stop(0));
  return { clock, log, process };
};

const restarting = async (process: ManagedProcess): Promise<void> => {
  await expect.poll(() => process.status.kind).toBe("waiting");
};

test("a process that is killed is started again at once, and counted", async () => {
  const { clock, process: managedProcess } = managed("sleep", "100");
  managedProcess.start();
  const { pid } = managedProcess;
  process.kill(pid ?? 0, "SIGKILL");
  await restarting(managedProcess);
  expect(managedProcess.status).toEqual({
    kind: "waiting",
    restarts: 1,
    lastEnd: { exit: "SIGKILL", alike: 1 },
  });
  expect(clock.delaysMs).toEqual([50]);
  await clock.pass(50);
  expect(managedProcess.status).toMatchObject({ kind: "running", restarts: 1 });
  expect(managedProcess.pid).not.toBe(pid);
});

test("a process that keeps ending is started again later and later", async () => {
  const { clock, process } = managed("false");
  process.start();
  const delays: number[] = [];
  for (let count = 0; count < 9; count++) {
    await restarting(process);
    delays.push(...clock.delaysMs);
    await clock.pass(clock.delaysMs[0] ?? 0);
  }
  expect(delays).toEqual([50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
});

/** Lets the process end once more. */
const again = async ({ clock, process }: ReturnType<typeof managed>): Promise<void> => {
  await clock.pass(clock.delaysMs[0] ?? 0);
  await restarting(process);
};

test("a process that ends while it starts says why, and how often in a row it was the same", async () => {
  const given = managed("sh", "-c", "echo 'settings: no name' >&2; exit 3");
  given.process.start();
  await restarting(given.process);
  await again(given);
  await again(given);
  await expect
    .poll(() => given.process.status)
    .toMatchObject({ lastEnd: { exit: "exit code 3", complaint: "settings: no name", alike: 3 } });
});

test("how the last one ended is told while the next is starting", async () => {
  const given = managed("sleep", "100");
  given.process.start();
  process.kill(given.process.pid ?? 0, "SIGKILL");
  await restarting(given.process);
  await given.clock.pass(given.clock.delaysMs[0] ?? 0);
  expect(given.process.status).toMatchObject({ kind: "running", lastEnd: { exit: "SIGKILL", alike: 1 } });
  await given.clock.pass(20_000);
  expect(given.process.status).not.toHaveProperty("lastEnd");
});

test("ends for different reasons are not alike", async () => {
  const given = managed("sh", "-c", "echo $$ >&2; exit 1");
  given.process.start();
  await restarting(given.process);
  await again(given);
  await expect
    .poll(() => given.process.status)
    .toMatchObject({ lastEnd: { complaint: expect.stringMatching(/^\d+$/) as string, alike: 1 } });
});

test("what a process complained about when it started is not why it ends much later", async () => {
  const { clock, log, process: managedProcess } = managed("sh", "-c", "echo oh >&2; exec sleep 100");
  managedProcess.start();
  await once(log, "data");
  await clock.pass(20_000);
  process.kill(managedProcess.pid ?? 0, "SIGKILL");
  await restarting(managedProcess);
  expect(managedProcess.status).toMatchObject({ lastEnd: { exit: "SIGKILL", alike: 0 } });
  expect(managedProcess.status).not.toHaveProperty(["lastEnd", "complaint"]);
});

test("a process that lived long is started again at once", async () => {
  const { clock, process: managedProcess } = managed("sleep", "100");
  managedProcess.start();
  for (const lifeMs of [0, 20_000]) {
    await clock.pass(lifeMs);
    process.kill(managedProcess.pid ?? 0, "SIGKILL");
    await restarting(managedProcess);
    expect(clock.delaysMs).toEqual([50]);
    await clock.pass(50);
  }
});

test("a process that was stopped stays away", async () => {
  const { clock, process } = managed("sleep", "100");
  process.start();
  await process.stop(1_000);
  expect([process.status, clock.delaysMs]).toEqual([{ kind: "stopped" }, []]);
});

test("a process that does not want to end is ended after the grace period", async () => {
  const { clock, log, process } = managed("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done");
  process.start();
  await once(log, "data");
  const stopped = process.stop(1_000);
  await clock.pass(1_000);
  await stopped;
});

test("both its outputs go to the log", async () => {
  const { log, process } = managed("sh", "-c", "echo out; echo err >&2; exec sleep 100");
  process.start();
  let text = "";
  log.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await expect.poll(() => text.split("\n").sort()).toEqual(["", "err", "out"]);
});

test("a program that does not exist is waited for like one that ends", async () => {
  const { process } = managed("no-such-program");
  process.start();
  await restarting(process);
  expect(process.status).toMatchObject({ lastEnd: { exit: "spawn no-such-program ENOENT" } });
});

test("a process that may end is not started again, and how it ended is known; one that shall stay is", async () => {
  const { clock, process: managedProcess } = managed("sleep", "100");
  managedProcess.start();
  managedProcess.letEnd();
  expect(managedProcess.status.kind).toBe("running");
  process.kill(managedProcess.pid ?? 0, "SIGKILL");
  await expect.poll(() => managedProcess.status).toEqual({ kind: "stopped" });
  expect(managedProcess.lastEnd).toMatchObject({ exit: "SIGKILL" });
  expect(clock.delaysMs).toEqual([]);
  managedProcess.start();
  const { pid } = managedProcess;
  managedProcess.letEnd();
  managedProcess.start();
  expect(managedProcess.pid).toBe(pid);
  process.kill(pid ?? 0, "SIGKILL");
  await restarting(managedProcess);
});
