import { PassThrough } from "node:stream";
import { finished } from "node:stream/promises";
import { expect, test } from "vitest";
import { wholeLines } from "./whole-lines.ts";

test("two sources of one log do not tear each other's lines, and what has no end is told at the end", async () => {
  const log = new PassThrough();
  const written: string[] = [];
  log.on("data", (chunk: Buffer) => written.push(chunk.toString()));
  const [one, other] = [wholeLines(), wholeLines()];
  for (const source of [one, other]) source.pipe(log, { end: false });
  one.write("first\nsec");
  other.write("others\n");
  one.write("ond\nrest");
  await expect.poll(() => written.join("")).toBe("first\nothers\nsecond\n");
  one.end();
  await finished(one);
  await expect.poll(() => written.join("")).toBe("first\nothers\nsecond\nrest");
});

test("a line without end is not held for ever", async () => {
  const lines = wholeLines();
  let length = 0;
  lines.on("data", (chunk: Buffer) => (length += chunk.length));
  lines.write(Buffer.alloc(100_000, "x"));
  await expect.poll(() => length).toBe(100_000);
});
