import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { unwrap } from "#mesh/result.ts";

import { writeFileAtomically } from "./atomic-file.ts";

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "heddle-file-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

test("a file has the content and the mode it was given, whatever the umask and whatever was there", () => {
  const path = join(directory, "roots.pem");
  const umask = process.umask(0o077);
  writeFileSync(path, "old and longer");
  unwrap(writeFileAtomically(path, "new", 0o644));
  process.umask(umask);
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(statSync(path).mode & 0o777).toBe(0o644);
  expect(readdirSync(directory)).toEqual(["roots.pem"]);
});

test("what a crash left half-written is in nobody's way", () => {
  const path = join(directory, "roots.pem");
  writeFileSync(`${path}.tmp`, "half");
  unwrap(writeFileAtomically(path, "whole", 0o600));
  expect(readFileSync(path, "utf8")).toBe("whole");
});

test("a file that cannot be written is named, and the old one stays", () => {
  const path = join(directory, "occupied");
  mkdirSync(join(path, "by-a-directory"), { recursive: true });
  expect(writeFileAtomically(path, "x", 0o600)).toEqual({
    ok: false,
    error: expect.stringContaining(`cannot write ${path}`),
  });
  expect(readdirSync(path)).toEqual(["by-a-directory"]);
  expect(readdirSync(directory)).toEqual(["occupied"]);
});
