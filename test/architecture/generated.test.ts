import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const api = join(import.meta.dirname, "../../api");

test("the generated code is what the script makes of the .proto files", () => {
  const out = mkdtempSync(join(tmpdir(), "heddle-gen-"));
  try {
    execFileSync("sh", [join(api, "generate.sh"), "--output", out], { stdio: "pipe" });
    const made = globSync("gen/**/*.{js,ts}", { cwd: out }).sort();
    const committed = globSync("gen/**/*.{js,ts}", { cwd: api }).sort();
    expect(committed).toEqual(made);
    for (const file of made)
      expect(readFileSync(join(api, file), "utf8"), file).toBe(readFileSync(join(out, file), "utf8"));
  } finally {
    rmSync(out, { recursive: true });
  }
}, 60_000);
