import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

const start = (...command: readonly string[]) =>
  spawn("sh", [join(import.meta.dirname, "init.sh"), ...command], { stdio: ["pipe", "pipe", "pipe"] });

const exitOf = async (child: ReturnType<typeof start>): Promise<unknown> => (await once(child, "close"))[0];

test("it ends as its program ended", async () => {
  expect(await exitOf(start("sh", "-c", "exit 7"))).toBe(7);
  expect(await exitOf(start("true"))).toBe(0);
  expect(await exitOf(start("/no/such/program"))).toBe(127);
});

test("it passes signals on, and waits for what the program makes of them", async () => {
  const child = start("sh", "-c", "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  const [output, code] = await Promise.all([text(child.stdout), exitOf(child)]);
  expect([output, code]).toEqual(["got it\n", 3]);
});

test("a program that a signal ends leaves no word of the shell in the log", async () => {
  const child = start("sh", "-c", "echo ready; exec sleep 100");
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  const [complaints, code] = await Promise.all([text(child.stderr), exitOf(child)]);
  expect([complaints, code]).toEqual(["", 143]);
});

test("the program reads what is meant for it", async () => {
  const child = start("cat");
  child.stdin.end("hello");
  expect(await text(child.stdout)).toBe("hello");
});
