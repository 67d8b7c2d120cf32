import { randomInt } from "node:crypto";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WireTap } from "#cli/demo/wire-tap.ts";
import { UnixClient } from "#local/socket/unix-client.ts";
import { remainingTraces, tracesOf } from "../local/kernel-traces.ts";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import type { LoadReport, Outcomes } from "../programs/steady-load.ts";
import { descriptorsOf, processesOf, runFilesOf } from "./crashes/mesh-processes.ts";
import { endsWith, type Fault, mayBe, scheduleOf } from "./crashes/faults.ts";
import { onNode, serverPod, TalkingPods } from "./talking-pods.ts";

/** The same faults again: HEDDLE_CRASH_SEED=123. Fewer of them: HEDDLE_CRASH_FAULTS=10. */
const SEED = Number(process.env.HEDDLE_CRASH_SEED ?? randomInt(2 ** 32));
const FAULTS = Number(process.env.HEDDLE_CRASH_FAULTS ?? 50);

const SECRET = `only-for-${randomInt(2 ** 40)}`;
const IN_CLEAR = `for-everybody-${randomInt(2 ** 40)}`;

const PODS = sleeper("shop/client", { annotations: onNode(1) }) + serverPod("shop/web", 2);

const mesh = new TalkingPods({
  "shop.yaml": namespace("shop", AMBIENT),
  "outside.yaml":
    namespace("outside") + sleeper("outside/stranger", { annotations: onNode(1) }) + serverPod("outside/open", 2),
  "pods.yaml": PODS,
});

beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

/** Longer than a hung process is waited for, and starting takes, on a machine that has a lot to do. */
const soon = { timeout: 120_000, interval: 300 };
/** How long nothing goes wrong before a fault counts as over. */
const CALM_MS = 500;
/** A request that is older is still waiting for something that is gone. */
const CALM_AGE_MS = 2_000;

/** The load in the client's pod. */
const startLoad = (address: string) => {
  const program = join(import.meta.dirname, "../programs/steady-load.ts");
  const child = mesh.spawn("exec", "-i", "shop/client", "--", "node", program, address, SECRET);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    report: async (): Promise<LoadReport> => {
      child.stdin.write("\n");
      const { value } = (await lines.next()) as { value?: string };
      if (value === undefined) throw new Error("the load has ended");
      return JSON.parse(value) as LoadReport;
    },
    end: (): void => void child.stdin.end(),
  };
};
type Load = ReturnType<typeof startLoad>;

const failures = ({ short, kept, stream }: LoadReport): Omit<Outcomes, "ok"> => {
  const total = (key: keyof Outcomes): number => short[key] + kept[key] + stream[key];
  return { refused: total("refused"), reset: total("reset"), other: total("other") };
};

/** What the load saw until nothing went wrong for a while. */
const untilCalm = async (load: Load): Promise<{ readonly failed: Omit<Outcomes, "ok">; readonly gapMs: number }> => {
  const failed = { refused: 0, reset: 0, other: 0 };
  let gapMs = 0;
  const isCalm = async (): Promise<boolean> => {
    await delay(CALM_MS);
    const report = await load.report();
    const now = failures(report);
    for (const key of ["refused", "reset", "other"] as const) failed[key] += now[key];
    gapMs = Math.max(gapMs, report.gapMs);
    const isQuiet = now.refused + now.reset + now.other === 0;
    return isQuiet && report.oldestMs < CALM_AGE_MS && Math.min(report.short.ok, report.kept.ok, report.stream.ok) > 0;
  };
  await expect.poll(isCalm, soon).toBe(true);
  return { failed, gapMs };
};

const findings = async (): Promise<readonly string[]> =>
  (await mesh.findings()).map(({ about, text }) => `${about}: ${text}`);

const identities = (): Readonly<Record<string, string>> =>
  Object.fromEntries(Array.from(processesOf(mesh), ([name, { identity }]) => [name, identity]));

const signal = (name: string, kind: NodeJS.Signals): void => {
  const target = processesOf(mesh).get(name);
  if (!target) throw new Error(`${name} does not run`);
  process.kill(target.pid, kind);
};

/** Has it happen, and checks that who had to survive did, and that all is well again. */
const suffer = async (fault: Fault, load: Load) => {
  const { role, way, node, afterMs, pauseMs } = fault;
  const name = role === "control-plane" ? role : `${role} ${node}`;
  await delay(afterMs);
  const before = identities();
  expect(failures(await load.report()), "before").toEqual({ refused: 0, reset: 0, other: 0 });
  signal(name, way === "killed" ? "SIGKILL" : "SIGSTOP");
  if (way === "paused") await delay(pauseMs).finally(() => signal(name, "SIGCONT"));
  const ended = endsWith(fault);
  await expect
    .poll(() => {
      const now = identities();
      return ended.every((each) => now[each] !== undefined && now[each] !== before[each]);
    }, soon)
    .toBe(true);
  await expect.poll(findings, soon).toEqual([]);
  const { failed, gapMs } = await untilCalm(load);
  const survivors = Object.keys(before).filter((each) => !ended.includes(each));
  const now = identities();
  expect(Object.fromEntries(survivors.map((each) => [each, now[each]]))).toEqual(
    Object.fromEntries(survivors.map((each) => [each, before[each]])),
  );
  const forbidden = (["refused", "reset", "other"] as const).filter((each) => !mayBe(fault).includes(each));
  expect(Object.fromEntries(forbidden.map((each) => [each, failed[each]]))).toEqual(
    Object.fromEntries(forbidden.map((each) => [each, 0])),
  );
  return { kind: `${role} ${way}`, gapMs, ...failed };
};
type Suffered = Awaited<ReturnType<typeof suffer>>;

/** What is different in a pod's namespace while it is captured, as far as its own processes see it. */
const namespaceOf = (pod: string): Promise<string> =>
  mesh.exec(
    pod,
    "sh",
    "-c",
    "ip rule; ip -6 rule; cd /proc/sys/net/ipv4; cat ip_local_port_range ip_local_reserved_ports tcp_tw_reuse conf/lo/rp_filter",
  );

const printTable = (suffered: readonly Suffered[]): void => {
  const kinds = [...Map.groupBy(suffered, ({ kind }) => kind)].sort(([a], [b]) => a.localeCompare(b));
  const rows = kinds.map(([kind, all]) => {
    const gaps = all.map(({ gapMs }) => gapMs).sort((a, b) => a - b);
    const sum = (key: "reset" | "refused"): number => all.reduce((total, each) => total + each[key], 0);
    const cells = [all.length, gaps[gaps.length >> 1], gaps.at(-1), sum("reset"), sum("refused")];
    return kind.padEnd(24) + cells.map((cell) => String(cell).padStart(10)).join("");
  });
  const heading = ["times", "median ms", "max ms", "resets", "refused"].map((cell) => cell.padStart(10)).join("");
  process.stdout.write(`longest time in which nobody was served\n${"".padEnd(24)}${heading}\n${rows.join("\n")}\n`);
};

const openTap = (): Promise<WireTap> => WireTap.open(new UnixClient(join(mesh.state, "heddle.sock")), "node-1");

/** How many faults are watched by one listener on the wire, which keeps all it hears. */
const FAULTS_PER_TAP = 10;

test.runIf(process.getuid?.() === 0)(
  `whoever crashes or hangs under load, who is to survive it does, nothing passes in clear, and nothing stays behind (seed ${SEED})`,
  async () => {
    process.stdout.write(`HEDDLE_CRASH_SEED=${SEED}\n`);
    const uncaptured = await namespaceOf("outside/stranger");
    const [captured, before] = [await namespaceOf("shop/client"), processesOf(mesh)];
    const supervisor = before.get("supervisor 1");
    const runFiles = supervisor && runFilesOf(supervisor);
    const descriptors = new Map(Array.from(before, ([name, each]) => [name, descriptorsOf(each)]));
    expect(captured).not.toBe(uncaptured);

    let tap = await openTap();
    // What is in clear is seen.
    await mesh.exec(
      "outside/stranger",
      "node",
      "-e",
      `fetch("http://${await mesh.address("outside/open")}:8087/${IN_CLEAR}")`,
    );
    const load = startLoad(await mesh.address("shop/web"));
    await untilCalm(load);
    const suffered: Suffered[] = [];
    for (const [number, fault] of scheduleOf(SEED).slice(0, FAULTS).entries()) {
      suffered.push(
        await suffer(fault, load).catch((error: unknown) => {
          throw new Error(`fault ${number} of seed ${SEED}, ${JSON.stringify(fault)}: ${String(error)}`, {
            cause: error,
          });
        }),
      );
      const isLast = number === FAULTS - 1;
      if (!isLast && number % FAULTS_PER_TAP !== FAULTS_PER_TAP - 1) continue;
      const next = isLast ? undefined : await openTap();
      const heard = await tap.close();
      expect(heard.shows(IN_CLEAR)).toBe(number < FAULTS_PER_TAP);
      expect([heard.shows(SECRET), heard.encryptedFrames > 100]).toEqual([false, true]);
      if (next) tap = next;
    }
    printTable(suffered);
    load.end();

    expect(await namespaceOf("shop/client")).toBe(captured);
    const after = processesOf(mesh);
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    expect(supervisor && runFilesOf(after.get("supervisor 1") ?? supervisor)).toEqual(runFiles);
    for (const [name, each] of after) {
      // A handful comes and goes by itself: connections of who asks, of tunnels, of stocks of sockets.
      if (/^(supervisor|agent)/.test(name))
        await expect.poll(() => descriptorsOf(each), soon).toBeLessThan((descriptors.get(name) ?? 0) + 10);
    }
    // Out of the mesh, and it is as if it had never been in it.
    mesh.write("shop.yaml", namespace("shop"));
    await expect.poll(() => namespaceOf("shop/client"), soon).toBe(uncaptured);
    const traces = tracesOf(mesh.name);
    await mesh.heddle("down");
    await expect.poll(() => remainingTraces(traces), soon).toEqual([]);
  },
);
