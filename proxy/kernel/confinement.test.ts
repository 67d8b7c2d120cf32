import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const here = (name: string): string => JSON.stringify(join(import.meta.dirname, name));

const TIMEOUT_MS = 30_000;

/** Runs a program as a supervisor does: without io_uring. @returns what it wrote, and how it ended */
const ranWithoutRings = (program: string): { readonly said: string; readonly end: string } => {
  const supervisor = `
    import { spawnSync } from "node:child_process";
    import { writeSync } from "node:fs";
    import { forbidRings } from ${here("confinement.ts")};
    import { prctl } from ${here("libc.ts")};
    prctl(38, 1, 0, 0, 0);
    forbidRings();
    const { stdout, signal, status } = spawnSync(process.execPath, ["--input-type=module", "-e", ${JSON.stringify(program)}],
      { encoding: "utf8", timeout: ${TIMEOUT_MS}, killSignal: "SIGKILL" });
    writeSync(1, JSON.stringify({ said: stdout, end: signal ?? "exit code " + status }));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", supervisor], { encoding: "utf8" });
  return JSON.parse(output) as { readonly said: string; readonly end: string };
};

/** What a process can still do after it confined itself. */
const abilities = (confine: "confineWorker" | "confineAgent"): Readonly<Record<string, string>> => {
  const program = `
    import { spawnSync } from "node:child_process";
    import { closeSync, openSync, writeSync } from "node:fs";
    import { ${confine} } from ${here("confinement.ts")};
    import { getSocketOption, SO_KEEPALIVE, setSocketOption } from ${here("socket-options.ts")};
    import { close, duplicate, ioctl, lastError, prctl, socket } from ${here("libc.ts")};
    const given = socket(2, 1, 0);
    ${confine}();
    const errno = (result) => (result < 0 ? lastError() : "done");
    const tried = (action) => { try { action(); return "done"; } catch (error) { return error.code ?? error.message; } };
    writeSync(1, JSON.stringify({
      "use a socket that it has": tried(() => setSocketOption(duplicate(given), SO_KEEPALIVE, 1)),
      "make memory": tried(() => Buffer.alloc(64 * 2 ** 20, 1)),
      "be random": tried(() => crypto.getRandomValues(new Uint8Array(16))),
      "signal itself": tried(() => process.kill(process.pid, 0)),
      "read a file": tried(() => closeSync(openSync("/etc/hostname", "r"))),
      "make a TCP socket": errno(socket(10, 1, 0)),
      "make a packet socket": errno(socket(17, 3, 0)),
      "start a program": spawnSync("/bin/true", { stdio: "ignore" }).error?.code ?? "done",
      "signal its parent": tried(() => process.kill(process.ppid, 0)),
      "become dumpable": errno(prctl(4, 1, 0, 0, 0)),
      "ask a socket for its namespace": errno(ioctl(given, 0x894c)),
    }));`;
  const { said, end } = ranWithoutRings(program);
  expect(end).toBe("exit code 0");
  return JSON.parse(said) as Readonly<Record<string, string>>;
};

const EITHER = {
  "use a socket that it has": "done",
  "make memory": "done",
  "be random": "done",
  "signal itself": "done",
  "make a packet socket": "EPERM",
  "start a program": "EPERM",
  "signal its parent": "EPERM",
  "become dumpable": "EPERM",
  "ask a socket for its namespace": "EPERM",
};

test(
  "a worker goes on with what it has, and gets nothing new",
  () => {
    expect(abilities("confineWorker")).toEqual({
      ...EITHER,
      "read a file": "EPERM",
      "make a TCP socket": "EPERM",
    });
  },
  2 * TIMEOUT_MS,
);

test(
  "the agent reads files and makes sockets, and starts and disturbs nothing",
  () => {
    expect(abilities("confineAgent")).toEqual({ ...EITHER, "read a file": "done", "make a TCP socket": "done" });
  },
  2 * TIMEOUT_MS,
);

test(
  "what the supervisor starts has no io_uring, with which a filter could be got around",
  () => {
    const program = `
    import { readdirSync, readlinkSync, writeSync } from "node:fs";
    const links = readdirSync("/proc/self/fd").map((fd) => { try { return readlinkSync("/proc/self/fd/" + fd); } catch { return ""; } });
    writeSync(1, String(links.filter((link) => link.includes("io_uring")).length));`;
    expect(ranWithoutRings(program)).toEqual({ said: "0", end: "exit code 0" });
  },
  2 * TIMEOUT_MS,
);

test.each(["confineWorker", "confineAgent"])(
  "after %s a process still ends, whatever it ends by",
  (confine) => {
    const endOf = (code: string): string =>
      ranWithoutRings(`import { ${confine} } from ${here("confinement.ts")}; ${confine}(); ${code}`).end;
    expect(endOf("")).toBe("exit code 0");
    expect(endOf("process.exit(7)")).toBe("exit code 7");
    expect(endOf("setTimeout(() => { throw new Error('oh'); }, 1)")).toBe("exit code 1");
    expect(endOf("process.kill(process.pid, 'SIGTERM')")).toBe("SIGTERM");
    expect(endOf("process.abort()")).toBe("SIGABRT");
  },
  10 * TIMEOUT_MS,
);
