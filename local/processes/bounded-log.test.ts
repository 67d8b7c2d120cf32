import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { BoundedLog, followFile, tailOfLog } from "./bounded-log.ts";

const write = (log: BoundedLog, text: string): Promise<void> =>
  new Promise((resolve) => {
    log.write(text, () => resolve());
  });

test("a log goes on where an earlier one ended", async () => {
  const path = join(temporaryFolder(), "a.log");
  await write(new BoundedLog(path), "one\n");
  await write(new BoundedLog(path), "two\n");
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
});

test("a log and the one before it together hold at most twice the bound", async () => {
  const path = join(temporaryFolder(), "a.log");
  const log = new BoundedLog(path, 100);
  for (let count = 0; count < 50; count++) await write(log, `line ${count} of a talkative pod\n`);
  expect(statSync(path).size).toBeLessThanOrEqual(100);
  expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(100);
  expect(tailOfLog(path, 1)).toBe("line 49 of a talkative pod\n");
});

test("the end of a log reaches back into the file before it", async () => {
  const path = join(temporaryFolder(), "a.log");
  const log = new BoundedLog(path, 20);
  for (const line of ["one\n", "two\n", "three\n", "four\n", "five\n"]) await write(log, line);
  expect(tailOfLog(path, 3)).toBe("three\nfour\nfive\n");
  expect(tailOfLog(path, 0)).toBe("");
  expect(tailOfLog(join(temporaryFolder(), "none.log"), 10)).toBe("");
});

test("lines are chosen before they are counted, in the file before it too", async () => {
  const path = join(temporaryFolder(), "a.log");
  const log = new BoundedLog(path, 20);
  for (const line of ["yes 1\n", "yes 2\n", "no\n", "no\n", "yes 3\n", "no\n", "no\n"]) await write(log, line);
  const isWanted = (line: string): boolean => line.startsWith("yes");
  expect(tailOfLog(path, 2, isWanted)).toBe("yes 2\nyes 3\n");
  expect(tailOfLog(path, 1, isWanted)).toBe("yes 3\n");
});

test("whoever follows a log sees what is added, until it has enough", async () => {
  const log = new BoundedLog(join(temporaryFolder(), "a.log"));
  const seen: string[] = [];
  await write(log, "before\n");
  const unfollow = log.follow((chunk) => seen.push(chunk.toString()));
  await write(log, "during\n");
  unfollow();
  await write(log, "after\n");
  expect(seen).toEqual(["during\n"]);
});

test("a file that others write is followed from where one was, over many reads, and when it is begun anew", async () => {
  const path = join(temporaryFolder(), "runtime.log");
  writeFileSync(path, "before\n");
  let seen = "";
  const unfollow = followFile(path, statSync(path).size, (chunk) => (seen += chunk.toString()));
  const long = `${"x".repeat(200_000)}\n`;
  appendFileSync(path, long);
  await expect.poll(() => seen, { timeout: 10_000 }).toBe(long);
  writeFileSync(path, "anew\n");
  await expect.poll(() => seen.slice(long.length), { timeout: 10_000 }).toBe("anew\n");
  unfollow();
  appendFileSync(path, "after\n");
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(seen.slice(long.length)).toBe("anew\n");
});
