import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

test("the limit is the one that the process has, soft limits being raised by Node.js", () => {
  const script = `console.log((await import(process.argv[1])).openFileLimit())`;
  const command = [process.execPath, "--input-type=module", "-e", script, join(import.meta.dirname, "open-files.ts")];
  const output = execFileSync("prlimit", ["--nofile=80:90", "--", ...command], { encoding: "utf8" });
  expect(output).toBe("90\n");
});
