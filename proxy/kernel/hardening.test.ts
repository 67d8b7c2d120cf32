import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";

const HARDENING = join(import.meta.dirname, "hardening.ts");
const LIBC = join(import.meta.dirname, "libc.ts");

/** A program that hardens itself and then says whether it may be dumped, and what it is to get when its parent dies. */
const program = (call: string): string => `
  import { bindToSupervisor, forbidDumps } from ${JSON.stringify(HARDENING)};
  import { prctl } from ${JSON.stringify(LIBC)};
  ${call};
  console.log("dumpable " + prctl(3, 0, 0, 0, 0));
  setInterval(() => {}, 1000);`;

const child = (call: string) => {
  const started = spawn(process.execPath, ["--input-type=module", "-e", program(call)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void started.kill("SIGKILL"));
  return started;
};

test.each(["bindToSupervisor(process.ppid)", "forbidDumps()"])(
  "after %s no other process of the same user may look in",
  async (call) => {
    const { stdout } = child(call);
    const [said] = (await once(stdout, "data")) as [Buffer];
    expect(said.toString()).toBe("dumpable 0\n");
  },
);

test.each(["NaN", "1 + process.ppid", "0"])("a process whose parent is not the supervisor (%s) stops", async (pid) => {
  const { stderr, stdout } = child(`bindToSupervisor(${pid})`);
  const [complaint] = (await once(stderr, "data")) as [Buffer];
  expect(complaint.toString()).toMatch(/^heddle: the supervisor .*gone; stopping\n$/);
  stdout.resume();
  await once(stdout, "close");
});

test("a process that is bound ends with the supervisor, whatever the supervisor dies of", async () => {
  const inner = program("bindToSupervisor(process.ppid)").replace("console.log(", "console.log(process.pid + ");
  const outer = `
    import { spawn } from "node:child_process";
    spawn(process.execPath, ["--input-type=module", "-e", ${JSON.stringify(inner)}], { stdio: ["ignore", "inherit", "inherit"] });
    setInterval(() => {}, 1000);`;
  const supervisor = spawn(process.execPath, ["--input-type=module", "-e", outer], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void supervisor.kill("SIGKILL"));
  const [said] = (await once(supervisor.stdout, "data")) as [Buffer];
  const pid = Number.parseInt(said.toString(), 10);
  onTestFinished(() => {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended, as it should.
    }
  });
  process.kill(pid, 0);
  supervisor.kill("SIGKILL");
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow("ESRCH"), { timeout: 10_000 });
});
