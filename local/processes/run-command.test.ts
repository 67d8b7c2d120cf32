import { expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

test("what a program writes is its result", async () => {
  expect(await runCommand(["cat"], { input: "hello" })).toEqual({ ok: true, value: "hello" });
});

test("a failure is told in the program's own words", async () => {
  expect(await runCommand(["sh", "-c", "echo 'it broke' >&2; exit 3"])).toEqual({
    ok: false,
    error: "sh -c echo 'it broke' >&2; exit 3: it broke (exit code 3)",
  });
});

test("a program that does not exist is a failure and no exception", async () => {
  const result = await runCommand(["no-such-program"]);
  // EACCES where a folder on the way may not be looked into.
  expect(result.ok ? "" : result.error).toMatch(/^no-such-program: spawn no-such-program E(?:NOENT|ACCES)/);
});

test("a program that does not end is ended", async () => {
  const result = await runCommand(["sleep", "100"], { timeoutMs: 50 });
  expect(result.ok ? "" : result.error).toContain("ended by SIGKILL");
});

test("a program that does not read its input is judged by how it ends", async () => {
  expect((await runCommand(["true"], { input: "x".repeat(1_000_000) })).ok).toBe(true);
});
