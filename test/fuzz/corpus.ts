import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The committed inputs of a target: one JSON string on each line, each character a byte. */
export const readCorpus = (target: string): readonly Uint8Array[] => {
  const file = join(import.meta.dirname, "corpus", target, "inputs.jsonl");
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Buffer.from(JSON.parse(line) as string, "latin1"));
};
