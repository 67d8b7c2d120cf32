import { setTimeout as delay } from "node:timers/promises";
import { CliFailure } from "#cli/failure.ts";
import { describeMachine, type Machine } from "../machine.ts";
import { bulk } from "../measure/bulk.ts";
import { connections } from "../measure/connections.ts";
import { measureIdleConnections } from "../measure/idle-connections.ts";
import { busyShare, machineTicks } from "../measure/machine-load.ts";
import type { Measure, Setting } from "../measure/measure.ts";
import { pssKib } from "../measure/memory.ts";
import { allowedCores, chooseCores, type Cores, pin } from "../measure/pinning.ts";
import { runInPod } from "../measure/pod-command.ts";
import { processTree } from "../measure/process-tree.ts";
import { requests } from "../measure/requests.ts";
import { streams } from "../measure/streams.ts";
import { LOADS } from "../metrics.ts";
import { Results } from "../results.ts";
import type { Way } from "../ways/way.ts";
import type { BenchMesh } from "./bench-mesh.ts";

export interface MeshBenchOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly isQuick: boolean;
  readonly envoyBinary: string | undefined;
}

/** PSS of a process in KiB; undefined where it may not be read. */
export interface ProcessMemory {
  readonly way: string;
  readonly label: string;
  readonly side: "client" | "server";
  readonly idleKib: number | undefined;
  readonly loadedKib: number | undefined;
}

export interface MeshReport {
  readonly machine: Machine;
  readonly cores: Cores;
  readonly ways: readonly string[];
  readonly results: Results;
  readonly memory: readonly ProcessMemory[];
}

const MEASURES: readonly Measure[] = [...LOADS.map(requests), streams, connections, bulk];

/** Budgets speak of a node that has been idle for a minute. */
const IDLE_SECONDS = { quick: 5, full: 60 } as const;
/** An idle mesh and the machine's own services need less. */
const QUIET_SHARE = 0.1;
/** As long as the JIT compiler takes for what is called often. */
const WARM_UP_SECONDS = 4;
const SETTLE_SECONDS = { quick: 1.5, full: 5 } as const;
/** A way that does not answer by then is broken. */
const FIRST_ANSWER_MS = 15_000;

/** Measures all ways in turn, so that whatever disturbs the machine disturbs all of them. */
export const runMeshBench = async (
  mesh: BenchMesh,
  options: MeshBenchOptions,
  say: (line: string) => void,
): Promise<MeshReport> => {
  const results = new Results(options.rounds);
  const pace = options.isQuick ? "quick" : "full";
  const note = (text: string): void => results.note(text);
  const setting: Setting = { mesh, seconds: options.seconds, settleSeconds: SETTLE_SECONDS[pace], note };

  say("two nodes are started, twice: the second time finds its programs compiled");
  const ways = await mesh.begin();
  for (const way of ways) await untilAnswers(mesh, way);
  const cores = chooseCores(allowedCores());
  await pinAll(mesh, ways, cores, results);

  say(`${IDLE_SECONDS[pace]} s of rest, for the memory of idle processes`);
  await rest(IDLE_SECONDS[pace], note);
  const idle = await memoryOf(ways);
  await measureRounds(setting, ways, results, say);
  const loaded = await memoryOf(ways);
  await measureIdle(setting, ways, results, say);
  return {
    machine: await describeMachine(versionCommands(options)),
    cores,
    ways: ways.map(({ name }) => name),
    results,
    memory: idle.map((process) => ({ ...process, loadedKib: loaded.find(({ pid }) => pid === process.pid)?.idleKib })),
  };
};

/** Nothing is asked of the mesh: whatever the machine does meanwhile, others do. */
const rest = async (seconds: number, note: (text: string) => void): Promise<void> => {
  const before = machineTicks();
  await delay(seconds * 1000);
  const share = busyShare(before, machineTicks());
  const percent = Math.round(share * 100);
  if (share > QUIET_SHARE)
    note(`others use this machine: it was ${percent} % busy at rest, and no number here means much`);
};

const versionCommands = ({ envoyBinary }: MeshBenchOptions): Parameters<typeof describeMachine>[0] => ({
  haproxy: ["haproxy", "-v"],
  nginx: ["nginx", "-v"],
  wrk: ["wrk", "-v"],
  h2load: ["h2load", "--version"],
  ...(envoyBinary !== undefined && { envoy: [envoyBinary, "--version"] }),
});

/** A warm-up that nobody hears of, then what counts. */
const measureRounds = async (
  setting: Setting,
  ways: readonly Way[],
  results: Results,
  say: (line: string) => void,
): Promise<void> => {
  const warmUp: Setting = { ...setting, seconds: Math.min(setting.seconds, WARM_UP_SECONDS), note: () => undefined };
  await measureAll(ways, "warm-up", say, async (measure, way) => void (await tried(measure, warmUp, way)));
  for (let round = 0; round < results.rounds; round++) {
    await measureAll(ways, `round ${round + 1} of ${results.rounds}`, say, async (measure, way) => {
      results.add(round, way.name, await tried(measure, setting, way));
    });
  }
};

const measureAll = async (
  ways: readonly Way[],
  what: string,
  say: (line: string) => void,
  measureOne: (measure: Measure, way: Way) => Promise<void>,
): Promise<void> => {
  for (const measure of MEASURES) {
    say(`${what}: ${measure.title}`);
    for (const way of ways.filter(measure.isFor)) await measureOne(measure, way);
  }
};

const measureIdle = async (
  setting: Setting,
  ways: readonly Way[],
  results: Results,
  say: (line: string) => void,
): Promise<void> => {
  for (const way of ways.filter(({ name, isBulkOnly }) => !isBulkOnly && name !== "direct")) {
    say(`idle connections: ${way.name}`);
    try {
      await measureIdleConnections(setting, way, (step, values) => results.add(step, way.name, values));
    } catch (error) {
      if (!(error instanceof CliFailure)) throw error;
      results.note(`${way.name}: idle connections failed: ${error.message}`);
    }
  }
};

/** A measurement that fails is told of and leaves a gap; the others go on. */
const tried = async (measure: Measure, setting: Setting, way: Way): Promise<Readonly<Record<string, number>>> => {
  try {
    return await measure.run(setting, way);
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error;
    setting.note(`${way.name}: ${measure.title} failed: ${error.message}`);
    return {};
  }
};

const untilAnswers = async (mesh: BenchMesh, way: Way): Promise<void> => {
  const { host, port } = way.http;
  const script = `fetch("http://${host}:${port}/").then((answer) => answer.text()).then(console.log, console.log)`;
  let said = "";
  for (const deadline = Date.now() + FIRST_ANSWER_MS; Date.now() < deadline; await delay(200)) {
    said = await runInPod(mesh, way.client, ["node", "-e", script], 5);
    if (said.startsWith("hello from the server")) return;
  }
  throw new CliFailure(`${way.name} does not answer: ${said.trim()}`);
};

/** Proxies on one core; everything else in the mesh, and what it starts later, on another. */
const pinAll = async (mesh: BenchMesh, ways: readonly Way[], cores: Cores, results: Results): Promise<void> => {
  if (cores.kind === "shared") return results.note("there is only one core: load, server and proxies share it");
  const proxies = new Set((await Promise.all(ways.map((way) => way.processes()))).flat().map(({ pid }) => pid));
  const others = processTree(mesh.pid ?? 0)
    .map(({ pid }) => pid)
    .filter((pid) => !proxies.has(pid));
  await pin(others, cores.load);
  const refused = await pin([...proxies], cores.proxies);
  if (refused.length > 0) results.note(`${refused.length} processes could not be kept on a core; as root they can`);
};

const memoryOf = async (ways: readonly Way[]): Promise<readonly (ProcessMemory & { readonly pid: number })[]> => {
  const found = await Promise.all(
    ways
      .filter(({ isBulkOnly }) => !isBulkOnly)
      .map(async (way) =>
        (await way.processes()).map((process) => ({
          way: way.name,
          pid: process.pid,
          label: process.label,
          side: process.side,
          idleKib: pssKib(process),
          loadedKib: undefined,
        })),
      ),
  );
  return found.flat();
};
