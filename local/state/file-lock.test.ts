import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { lockFile } from "./file-lock.ts";

test("only one can hold a lock, until it is given back", () => {
  const path = join(temporaryFolder(), "lock");
  const unlock = lockFile(path);
  expect(unlock).toBeDefined();
  expect(lockFile(path)).toBeUndefined();
  unlock?.();
  const again = lockFile(path);
  expect(again).toBeDefined();
  again?.();
});
