import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { type CallFilter, ENOSYS, EPERM, filterProgram } from "./system-call-filter.ts";
import { architecture } from "./system-calls.ts";

const here = (name: string): string => JSON.stringify(join(import.meta.dirname, name));

/** Runs code under a filter, which needs no privilege in a process that can get none. @returns what it wrote, and how it ended */
const under = async (filter: CallFilter, code: string, before = "") => {
  const program = `${before}
    import { readFileSync, writeSync } from "node:fs";
    import { prctl, must, duplicate, lastError, socket, close } from ${here("libc.ts")};
    import { refuseSystemCalls } from ${here("system-call-filter.ts")};
    prctl(38, 1, 0, 0, 0);
    refuseSystemCalls(${JSON.stringify(filter)});
    const say = (what) => writeSync(1, what + "\\n");
    const errno = (result) => (result < 0 ? lastError() : "done");
    ${code}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said, [exitCode]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return { said: said.trim().split("\n"), exitCode: exitCode as number | null };
};

const [TCP, UNIX] = ["say(errno(socket(2, 1, 0)))", "say(errno(socket(1, 1, 0)))"];

test("a call that is refused fails with the number that was chosen, and others work", async () => {
  const { said } = await under(
    { rules: { socket: { errno: ENOSYS } }, others: "allow" },
    `${TCP}; say(errno(close(-1)))`,
  );
  expect(said).toEqual(["ENOSYS", "EBADF"]);
});

test("a call may depend on an argument, or on some of its bits", async () => {
  const byFamily: CallFilter = { rules: { socket: { argument: 0, isOneOf: [10, 1] } }, others: "allow" };
  expect((await under(byFamily, `${TCP}; ${UNIX}`)).said).toEqual(["EPERM", "done"]);
  // SOCK_CLOEXEC is not looked at, SOCK_STREAM is.
  const byKind: CallFilter = { rules: { socket: { argument: 1, mask: 0xff, isOneOf: [1] } }, others: "allow" };
  const code = `say(errno(socket(2, 0o2000001, 0))); say(errno(socket(2, 0o2000002, 0)))`;
  expect((await under(byKind, code)).said).toEqual(["done", "EPERM"]);
});

test("every thread is held to it, those that ran before and those that start later", async () => {
  const { said } = await under(
    { rules: { openat: { errno: EPERM } }, others: "allow" },
    `await readFile("/etc/hostname").catch((error) => say(error.code));
     new Worker(new URL("data:text/javascript," + encodeURIComponent(
       'import { openSync, writeSync } from "node:fs"; try { openSync("/etc/hostname") } catch (error) { writeSync(1, error.code) }')));`,
    `import { readFile } from "node:fs/promises"; import { Worker } from "node:worker_threads";
     // Has the pool's threads started.
     await Promise.all(Array.from({ length: 8 }, () => readFile("/etc/hostname")));`,
  );
  expect(said).toEqual(["EPERM", "EPERM"]);
});

test("it cannot be taken off again, only made stricter", async () => {
  const { said } = await under(
    { rules: { socket: { errno: EPERM } }, others: "allow" },
    `refuseSystemCalls({ rules: { socket: "allow" }, others: "allow" }); ${TCP};
     refuseSystemCalls({ rules: { close: { errno: ${ENOSYS} } }, others: "allow" }); say(errno(close(-1)))`,
  );
  expect(said).toEqual(["EPERM", "ENOSYS"]);
});

test("a call meant for another kind of machine ends the process: its numbers mean other calls", () => {
  const program = filterProgram({ rules: {}, others: "allow" }, architecture("arm64"));
  const [load, compare, kill] = [0, 8, 16].map((at) => Buffer.from(program).readUInt32LE(at + 4));
  expect([load, compare, kill]).toEqual([4, 0xc000_00b7, 0x8000_0000]);
});

test("a machine whose numbers are not known is refused", () => {
  expect(() => architecture("riscv64")).toThrow("riscv64");
});
