import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

const PROGRAM = dirname(dirname(import.meta.dirname));
/** What supervisor, agent and workers are made of. */
const PARTS = ["package.json", "bin", "api", "certs", "mesh", "proxy", "wire"];

/** In a file, a text that must be there, and what stands there in the other version. */
export type Edit = readonly [file: string, text: string, other: string];

/** A tree of the program as another version has it; gone after the test. */
export const otherVersion = (version: string, edits: readonly Edit[]): string => {
  const tree = mkdtempSync(join(tmpdir(), "heddle-version-"));
  onTestFinished(() => rmSync(tree, { recursive: true, force: true }));
  // Agent and workers run as other users.
  chmodSync(tree, 0o755);
  for (const part of PARTS) cpSync(join(PROGRAM, part), join(tree, part), { recursive: true });
  symlinkSync(join(PROGRAM, "node_modules"), join(tree, "node_modules"));
  const manifest = join(tree, "package.json");
  writeFileSync(manifest, JSON.stringify({ ...(JSON.parse(readFileSync(manifest, "utf8")) as object), version }));
  for (const [file, text, other] of edits) {
    const source = readFileSync(join(tree, file), "utf8");
    if (!source.includes(text)) throw new Error(`${file} does not say ${text}`);
    writeFileSync(join(tree, file), source.replace(text, other));
  }
  return tree;
};
