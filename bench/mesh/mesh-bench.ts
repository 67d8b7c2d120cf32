import { CliFailure } from "#cli/failure.ts";
import { MESH_COMPARISONS } from "../budgets.ts";
import { compare, type ComparisonFindings } from "../comparison.ts";
import { describeMachine, type Machine } from "../machine.ts";
import { bulk } from "../measure/bulk.ts";
import { connections } from "../measure/connections.ts";
import { measureIdleConnections } from "../measure/idle-connections.ts";
import type { Measure, Setting } from "../measure/measure.ts";
import { allowedCores, chooseCores, type Cores } from "../measure/pinning.ts";
import { memoryBetween, type ProcessMemory, readMemory } from "../measure/process-memory.ts";
import { requests } from "../measure/requests.ts";
import { measureRounds } from "../measure/rounds.ts";
import { streams } from "../measure/streams.ts";
import { LOADS } from "../metrics.ts";
import { Results } from "../results.ts";
import type { Way } from "../ways/way.ts";
import type { BenchMesh } from "./bench-mesh.ts";
import { pinAll, rest, type RunOptions, settingOf, untilAnswers } from "./prepare.ts";

export interface MeshBenchOptions extends RunOptions {
  readonly envoyBinary: string | undefined;
}

export interface MeshReport {
  readonly machine: Machine;
  readonly cores: Cores;
  readonly ways: readonly string[];
  readonly results: Results;
  readonly comparisons: readonly ComparisonFindings[];
  readonly memory: readonly ProcessMemory[];
}

const MEASURES: readonly Measure[] = [...LOADS.map(requests), streams, connections, bulk];

/** Measures all ways in turn. */
export const runMeshBench = async (
  mesh: BenchMesh,
  options: MeshBenchOptions,
  say: (line: string) => void,
): Promise<MeshReport> => {
  const results = new Results(options.rounds);
  const note = (text: string): void => results.note(text);
  const setting = settingOf(options, note);

  say("two nodes are started, twice: the second time finds its programs compiled");
  const ways = await mesh.begin();
  for (const way of ways) await untilAnswers(way);
  const cores = chooseCores(allowedCores());
  await pinAll(ways, cores, note);

  await rest(options.isQuick, say, note);
  const idle = await readMemory(ways);
  await measureRounds(setting, MEASURES, ways, results, say);
  const loaded = await readMemory(ways);
  await measureIdle(setting, ways, results, say);
  return {
    machine: await describeMachine(versionCommands(options)),
    cores,
    ways: ways.map(({ name }) => name),
    results,
    comparisons: MESH_COMPARISONS.map((comparison) => compare(results, comparison)),
    memory: memoryBetween(idle, loaded),
  };
};

const versionCommands = ({ envoyBinary }: MeshBenchOptions): Parameters<typeof describeMachine>[0] => ({
  haproxy: ["haproxy", "-v"],
  nginx: ["nginx", "-v"],
  wrk: ["wrk", "-v"],
  h2load: ["h2load", "--version"],
  ...(envoyBinary !== undefined && { envoy: [envoyBinary, "--version"] }),
});

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
