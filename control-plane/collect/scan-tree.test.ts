import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory, writeFiles } from "../testing/temporary-directory.ts";
import { DEFAULT_FOLDER_LIMITS } from "./folder-limits.ts";
import { scanTree } from "./scan-tree.ts";

const scan = async (directory: string, limits = {}) => {
  const { files, problems, unseen } = await scanTree(directory, { ...DEFAULT_FOLDER_LIMITS, ...limits });
  return { files: [...files.keys()], problems: Object.fromEntries(problems), unseen };
};

test("YAML and JSON files count, in folders too; hidden ones and others do not", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, {
    "a.yaml": "",
    "b/c.yml": "",
    "b/d/e.JSON": "",
    ".f.yaml": "",
    ".git/g.yaml": "",
    "h.txt": "",
  });
  expect(await scan(directory)).toEqual({ files: ["a.yaml", "b/c.yml", "b/d/e.JSON"], problems: {}, unseen: [] });
});

test("links are followed", async () => {
  const directory = temporaryDirectory();
  const elsewhere = temporaryDirectory();
  writeFiles(elsewhere, { "a.yaml": "", "sub/b.yaml": "" });
  symlinkSync(join(elsewhere, "a.yaml"), join(directory, "a.yaml"));
  symlinkSync(join(elsewhere, "sub"), join(directory, "sub"));
  expect((await scan(directory)).files).toEqual(["a.yaml", "sub/b.yaml"]);
});

test("X-10: links that lead in a circle are problems, and everything else is found", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "b/c.yaml": "" });
  symlinkSync("..", join(directory, "b", "up"));
  symlinkSync("d.yaml", join(directory, "d.yaml"));
  expect(await scan(directory)).toEqual({
    files: ["b/c.yaml"],
    problems: {
      "b/up": "is a link to a folder that it is itself in",
      "d.yaml": expect.stringContaining("ELOOP") as string,
    },
    unseen: ["d.yaml", "b/up"],
  });
});

test("X-10: a pipe with the name of a file is no file", async () => {
  const directory = temporaryDirectory();
  execFileSync("mkfifo", [join(directory, "a.yaml")]);
  mkdirSync(join(directory, "b.yaml"));
  expect(await scan(directory)).toEqual({ files: [], problems: { "a.yaml": "is not a file" }, unseen: ["a.yaml"] });
});

test("more files than the limit are not read, and say so", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "a.yaml": "", "b.yaml": "", "c.yaml": "" });
  const found = await scan(directory, { maxFiles: 2 });
  expect(found.files.length).toBe(2);
  expect(found).toMatchObject({ problems: { "": "has more than 2 files; the rest is not read" }, unseen: [""] });
});

test("folders deeper than the limit are not read, and say so", async () => {
  const directory = temporaryDirectory();
  writeFiles(directory, { "a/b/c/d.yaml": "", "a/e.yaml": "" });
  expect(await scan(directory, { maxFolderDepth: 2 })).toEqual({
    files: ["a/e.yaml"],
    problems: { "a/b/c": "is more than 2 folders deep and is not read" },
    unseen: ["a/b/c"],
  });
});

test("a folder that is not there is a problem and not an empty folder", async () => {
  const found = await scan(join(temporaryDirectory(), "missing"));
  expect(found).toMatchObject({ problems: { "": expect.stringContaining("ENOENT") as string }, unseen: [""] });
});
