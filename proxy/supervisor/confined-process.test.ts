import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { encodeWorkerRecord } from "../channel/worker-record.ts";
import { openDescriptors, someDescriptor } from "../testing/open-descriptors.ts";
import { mayUseNamespaces } from "../testing/test-namespace.ts";
import { ConfinedProcess, type ConfinedProgram } from "./confined-process.ts";
import type { Log } from "./log.ts";

const asRoot = test.runIf(mayUseNamespaces);

/** A folder with one program. */
const programOf = (source: string): string => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-confined-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, "main.mjs"), source);
  return folder;
};

const started = (source: string, changes: Partial<ConfinedProgram> = {}) => {
  const log = vi.fn<Log>();
  const exit = Promise.withResolvers<string>();
  const onExit = vi.fn<(reason: string) => void>(exit.resolve);
  const program = { title: "probe", entry: "main.mjs", program: programOf(source), uid: undefined, hasNetwork: true };
  const process = new ConfinedProcess(
    { ...program, maxHeapMb: 64, cacheDir: undefined, environment: {}, ...changes },
    log,
    onExit,
  );
  onTestFinished(() => process.kill());
  /** What it wrote on its bell up to its end. */
  const said = async (): Promise<string> => {
    let text = "";
    process.onBytes((bytes) => (text += Buffer.from(bytes).toString()));
    return await vi.waitFor(
      () => {
        if (!text.endsWith("\n")) throw new Error(`only ${JSON.stringify(text)}; ${JSON.stringify(log.mock.calls)}`);
        return text;
      },
      { timeout: 15_000 },
    );
  };
  return { process, log, onExit, exit: exit.promise, said };
};

/** Says what the kernel knows of each of its threads, and what it was started with, and stays. */
const REPORT = `
import { readdirSync, readFileSync, writeSync } from "node:fs";
const threads = readdirSync("/proc/self/task").map((id) => readFileSync("/proc/self/task/" + id + "/status", "utf8"));
let evaluates = true;
try { new Function("return 1"); } catch { evaluates = false; }
const net = readFileSync("/proc/self/net/dev", "utf8").trim().split("\\n").length - 2;
writeSync(3, JSON.stringify({ threads, evaluates, net, cwd: process.cwd(), env: process.env, argv: process.execArgv,
  core: readFileSync("/proc/self/limits", "utf8").match(/Max core file size +(\\S+) +(\\S+)/).slice(1) }) + "\\n");
setInterval(() => {}, 1000);
`;

interface Report {
  readonly threads: readonly string[];
  readonly evaluates: boolean;
  readonly net: number;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  readonly core: readonly string[];
}

asRoot("every thread runs as the chosen user, with no capability and no way to one", async () => {
  const { said } = started(REPORT, { uid: 64_321 });
  const { threads, core } = JSON.parse(await said()) as Report;
  expect(threads.length).toBeGreaterThan(1);
  for (const status of threads) {
    for (const set of ["Inh", "Prm", "Eff", "Bnd", "Amb"]) expect(status).toMatch(new RegExp(`^Cap${set}:\\t0+$`, "m"));
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Uid:\t64321\t64321\t64321\t64321$/m);
    expect(status).toMatch(/^Gid:\t64321\t64321\t64321\t64321$/m);
    expect(status).toMatch(/^Groups:\t\s*$/m);
  }
  expect(core).toEqual(["0", "0"]);
});

asRoot("where no other user id is mapped it keeps its own, and has no capability all the same", async () => {
  const { said } = started(REPORT);
  const { threads } = JSON.parse(await said()) as Report;
  for (const status of threads) {
    expect(status).toMatch(/^CapBnd:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Uid:\t0\t0\t0\t0$/m);
  }
});

asRoot("a program that needs no network has one with nothing but a loopback that is down", async () => {
  const { said } = started(REPORT, { uid: 64_321, hasNetwork: false });
  const { net } = JSON.parse(await said()) as Report;
  expect(net).toBe(1);
});

asRoot("the environment is what was chosen and the supervisor's pid; code is not made from strings", async () => {
  vi.stubEnv("NODE_OPTIONS", "--inspect");
  vi.stubEnv("SECRET", "x");
  onTestFinished(() => void vi.unstubAllEnvs());
  const { said } = started(REPORT, { environment: { HEDDLE_WORKER: "0" } });
  const report = JSON.parse(await said()) as Report;
  expect(report.env).toEqual({ HEDDLE_WORKER: "0", HEDDLE_SUPERVISOR_PID: String(process.pid) });
  expect([report.evaluates, report.cwd]).toEqual([false, "/"]);
  expect(report.argv).toEqual(expect.arrayContaining(["--disable-sigusr1", "--disable-proto=throw"]));
  expect(report.argv).toContain("--max-old-space-size=64");
});

asRoot("the compile cache belongs to the user of the process, and nobody else may write there", async () => {
  const cacheDir = mkdtempSync(join(tmpdir(), "heddle-cache-"));
  onTestFinished(() => rmSync(cacheDir, { recursive: true }));
  chmodSync(cacheDir, 0o755);
  mkdirSync(join(cacheDir, "64321"), { mode: 0o777 });
  const { said } = started(REPORT, { uid: 64_321, cacheDir });
  expect((JSON.parse(await said()) as Report).env.NODE_COMPILE_CACHE).toBe(join(cacheDir, "64321"));
  const { uid, gid, mode } = statSync(join(cacheDir, "64321"));
  expect([uid, gid, mode & 0o777]).toEqual([64_321, 64_321, 0o700]);
});

asRoot("messages and descriptors reach the child, and what it writes comes back", async () => {
  const echo = `
    import { writeSync } from "node:fs";
    import { Socket } from "node:net";
    new Socket({ fd: 3 }).on("data", (bell) => writeSync(3, "rang " + bell.length + "\\n"));`;
  const { process, said } = started(echo);
  process.send({ kind: "worker-gone", startId: "a", reason: "b" }, [someDescriptor()]);
  expect(await said()).toBe("rang 1\n");
});

asRoot("records arrive as they were written", async () => {
  const { process } = started(`
    import { writeSync } from "node:fs";
    writeSync(3, Buffer.from("${Buffer.from(encodeWorkerRecord({ kind: "ready" })).toString("hex")}", "hex"));
    setInterval(() => {}, 1000);`);
  const chunks: Uint8Array[] = [];
  process.onBytes((bytes) => chunks.push(bytes));
  await vi.waitFor(() => expect(Buffer.concat(chunks).length).toBe(16), { timeout: 15_000 });
  expect(Buffer.concat(chunks)).toEqual(Buffer.from(encodeWorkerRecord({ kind: "ready" })));
});

asRoot.each([
  ["an exit code", "process.exit(7)", "exit code 7"],
  ["a signal", "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)", "SIGTERM"],
])("the end is told once, with %s", async (_, source, reason) => {
  const { exit, onExit } = started(source);
  expect(await exit).toBe(reason);
  expect(onExit).toHaveBeenCalledTimes(1);
});

asRoot("a process that is killed ends by that, and sending to it later closes what is sent", async () => {
  const before = openDescriptors();
  const { process, exit } = started("setInterval(() => {}, 1000)");
  process.kill();
  expect(await exit).toBe("SIGKILL");
  process.send({ kind: "complete" }, [someDescriptor()]);
  await vi.waitFor(() => expect(openDescriptors()).toBe(before));
});

asRoot("what it says on stderr comes into the log as text, and not without end", async () => {
  const { log, exit } = started(`process.stderr.write('{"level":60}\\n'.repeat(50_000)); process.exitCode = 1;`);
  await exit;
  await vi.waitFor(() => expect(log).toHaveBeenCalled());
  const texts = log.mock.calls.map(([, , fields]) => String(fields?.stderr));
  expect(log.mock.calls.every(([level, message]) => level === "warn" && message === "probe wrote on stderr")).toBe(
    true,
  );
  expect(texts.join("").length).toBeLessThan(3 * 65_536);
});

test("a process that cannot be started leaves no descriptor behind", () => {
  const before = openDescriptors();
  for (let attempt = 0; attempt < 5; attempt++) {
    expect(() => started("", { cacheDir: "/dev/null/cache" })).toThrow(/ENOTDIR/);
  }
  return vi.waitFor(() => expect(openDescriptors()).toBe(before));
});
