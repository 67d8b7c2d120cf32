import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { findProgram, searchPath } from "./search-path.ts";

test("the system's folders come after a user's own, once", () => {
  const path = searchPath("/home/me/bin:/usr/bin").split(":");
  expect(path.slice(0, 2)).toEqual(["/home/me/bin", "/usr/bin"]);
  expect(path).toContain("/usr/sbin");
  expect(path.filter((folder) => folder === "/usr/bin")).toHaveLength(1);
  expect(searchPath(undefined).split(":")).not.toContain("");
});

test("a program is the first file of its name that can be executed", () => {
  const [plain, executable] = [temporaryFolder(), temporaryFolder()];
  writeFileSync(join(plain, "tool"), "");
  writeFileSync(join(executable, "tool"), "");
  chmodSync(join(executable, "tool"), 0o755);
  expect(findProgram("tool", `${plain}:${executable}`)).toBe(join(executable, "tool"));
  expect(findProgram("other", `${plain}:${executable}`)).toBeUndefined();
});
