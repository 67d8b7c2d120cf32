import { SCALE_COMPARISON } from "../budgets.ts";
import { compare, type ComparisonFindings } from "../comparison.ts";
import { describeMachine, type Machine } from "../machine.ts";
import type { Measure } from "../measure/measure.ts";
import { allowedCores, chooseCores, type Cores } from "../measure/pinning.ts";
import { memoryBetween, type ProcessMemory, readMemory } from "../measure/process-memory.ts";
import { requests } from "../measure/requests.ts";
import { measureRounds } from "../measure/rounds.ts";
import { streams } from "../measure/streams.ts";
import { pinAll, rest, type RunOptions, settingOf, untilAnswers } from "../mesh/prepare.ts";
import { Results } from "../results.ts";
import type { Way } from "../ways/way.ts";
import type { ScaleMesh } from "./scale-mesh.ts";
import { SIZES, type Size } from "./scale-objects.ts";

export interface ScaleReport {
  readonly machine: Machine;
  readonly cores: Cores;
  readonly sizes: readonly Size[];
  readonly results: Results;
  readonly comparisons: readonly ComparisonFindings[];
  readonly memory: readonly ProcessMemory[];
}

const MEASURES: readonly Measure[] = [requests(1), requests(16), streams];

/** Two meshes at the same time, alike but for what there is in them beside the traffic; measured in turn. */
export const runScaleBench = async (
  meshes: readonly ScaleMesh[],
  options: RunOptions,
  say: (line: string) => void,
): Promise<ScaleReport> => {
  const results = new Results(options.rounds);
  const note = (text: string): void => results.note(text);
  const ways: Way[] = [];
  for (const mesh of meshes) {
    say(`two nodes are started: ${mesh.title}`);
    ways.push(await mesh.begin());
  }
  for (const way of ways) await untilAnswers(way);
  const cores = chooseCores(allowedCores());
  await pinAll(ways, cores, note);

  await rest(options.isQuick, say, note);
  const idle = await readMemory(ways);
  await measureRounds(settingOf(options, note), MEASURES, ways, results, say);
  return {
    machine: await describeMachine({
      nginx: ["nginx", "-v"],
      wrk: ["wrk", "-v"],
      h2load: ["h2load", "--version"],
    }),
    cores,
    sizes: SIZES,
    results,
    comparisons: [compare(results, SCALE_COMPARISON)],
    memory: memoryBetween(idle, await readMemory(ways)),
  };
};
