import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { programTreeShortcoming } from "./program-tree.ts";

const tree = (): string => {
  const root = temporaryFolder();
  mkdirSync(join(root, "proxy/worker"), { recursive: true });
  writeFileSync(join(root, "proxy/main.ts"), "");
  writeFileSync(join(root, "package.json"), "");
  for (const path of ["proxy", "proxy/worker"]) chmodSync(join(root, path), 0o755);
  for (const path of ["proxy/main.ts", "package.json"]) chmodSync(join(root, path), 0o644);
  return root;
};

test("a tree that everybody can read is fine, even in a folder that is closed", () => {
  const root = tree();
  chmodSync(root, 0o700);
  expect(programTreeShortcoming(root)).toBeUndefined();
});

test.each(["proxy", "proxy/worker", "proxy/main.ts", "package.json"])(
  "a closed %s is named, with what opens it",
  (path) => {
    const root = tree();
    chmodSync(join(root, path), 0o700);
    const shortcoming = programTreeShortcoming(root);
    expect(shortcoming?.what).toContain(`cannot read ${join(root, path)},`);
    expect(shortcoming?.remedy).toBe(`chmod -R o+rX ${root}/*`);
  },
);

test("what is hidden, and links that lead nowhere, do not count", () => {
  const root = tree();
  mkdirSync(join(root, ".git"), { mode: 0o700 });
  symlinkSync("/no/such/file", join(root, "proxy/link"));
  expect(programTreeShortcoming(root)).toBeUndefined();
});
