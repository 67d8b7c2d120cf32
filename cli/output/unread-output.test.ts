import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";

const MODULE = join(import.meta.dirname, "unread-output.ts");

/** Runs a program that uses the module. */
const program = (source: string, stdout: "pipe" | number) => {
  const child = spawn(
    process.execPath,
    ["--input-type=module", "-e", `import { endUnread, outputTaken, whenUnread } from "${MODULE}"; ${source}`],
    { stdio: ["ignore", stdout, "pipe"] },
  );
  const ended = Promise.all([text(child.stderr as Readable), once(child, "close")]);
  return { stdout: child.stdout, ended: ended.then(([stderr, [code]]) => [stderr, code as unknown]) };
};

/** It writes until it cannot. */
const writer = (stdout: "pipe" | number) =>
  program(`whenUnread(endUnread); setInterval(() => process.stdout.write("line\\n"), 1);`, stdout);

test("a command that ends has written everything, however slowly it is read", async () => {
  const { stdout, ended } = program(
    `process.stdout.write("x".repeat(5_000_000)); await outputTaken(); process.exit();`,
    "pipe",
  );
  await delay(300);
  const [written] = await Promise.all([text(stdout as Readable), ended]);
  expect(written.length).toBe(5_000_000);
});

test("a command whose output nobody takes any more ends nevertheless", async () => {
  const { stdout, ended } = program(
    `whenUnread(() => {}); setTimeout(async () => {
       process.stdout.write("x"); await outputTaken(); process.stdout.write("y"); await outputTaken(); process.exit(3);
     }, 50);`,
    "pipe",
  );
  stdout?.destroy();
  expect(await ended).toEqual(["", 3]);
});

test("a command whose output nobody reads ends without a trace, as others do", async () => {
  const { stdout, ended } = writer("pipe");
  stdout?.once("data", () => stdout.destroy());
  expect(await ended).toEqual(["", 141]);
});

test("a command whose output has no room says so", async () => {
  const { ended } = writer(openSync("/dev/full", "w"));
  expect(await ended).toEqual([expect.stringMatching(/^heddle: the output cannot be written: ENOSPC.*\n$/), 1]);
});
