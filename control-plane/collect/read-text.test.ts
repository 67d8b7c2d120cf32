import { writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { readText } from "./read-text.ts";

const read = async (content: string | Uint8Array, maxBytes = 100) => {
  const path = join(temporaryDirectory(), "a.yaml");
  writeFileSync(path, content);
  return readText(path, maxBytes);
};

test("text is read whole", async () => {
  expect(await read("käse: 1\n")).toEqual({ kind: "text", text: "käse: 1\n" });
});

test("X-10: a byte order mark before the text is no part of it", async () => {
  expect(await read("\uFEFFa: 1")).toEqual({ kind: "text", text: "a: 1" });
});

test.each([
  ["UTF-16", Buffer.from("\uFEFFa: 1", "utf16le")],
  ["Latin-1", Uint8Array.of(0x6b, 0xe4, 0x73, 0x65)],
])("X-10: %s is refused instead of being read wrong", async (_, bytes) => {
  expect(await read(bytes)).toEqual({ kind: "refused", problem: "is not UTF-8 text; save it as UTF-8" });
});

test("X-10: a file over the limit is refused by its size, unread", async () => {
  expect(await read("x".repeat(101))).toEqual({
    kind: "refused",
    problem: "has 101 bytes, more than 100; split it into several files",
  });
});

test("a pipe is not waited for", async () => {
  const path = join(temporaryDirectory(), "a.yaml");
  execFileSync("mkfifo", [path]);
  expect(await readText(path, 100)).toEqual({ kind: "refused", problem: "is not a file" });
});

test("a file that went away is looked at again later", async () => {
  expect(await readText(join(temporaryDirectory(), "a.yaml"), 100)).toEqual({ kind: "unsettled" });
});
