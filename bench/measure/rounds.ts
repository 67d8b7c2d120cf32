import { CliFailure } from "#cli/failure.ts";
import type { Results } from "../results.ts";
import type { Way } from "../ways/way.ts";
import type { Measure, Setting } from "./measure.ts";

const SHORT_WARM_UP_SECONDS = 4;

/**
 * Measures all ways in turn, so that whatever disturbs the machine disturbs all of them: a warm-up that nobody hears of, then what
 * counts.
 */
export const measureRounds = async (
  setting: Setting,
  measures: readonly Measure[],
  ways: readonly Way[],
  results: Results,
  say: (line: string) => void,
): Promise<void> => {
  const warmUp = ({ warmUpSeconds = Math.min(setting.seconds, SHORT_WARM_UP_SECONDS) }: Measure): Setting => ({
    ...setting,
    seconds: Math.min(warmUpSeconds, setting.maxWarmUpSeconds),
    note: () => undefined,
  });
  const measureAll = async (what: string, one: (measure: Measure, way: Way) => Promise<void>): Promise<void> => {
    for (const measure of measures) {
      say(`${what}: ${measure.title}`);
      for (const way of ways.filter(measure.isFor)) await one(measure, way);
    }
  };
  await measureAll("warm-up", async (measure, way) => void (await tried(measure, warmUp(measure), way)));
  for (let round = 0; round < results.rounds; round++) {
    await measureAll(`round ${round + 1} of ${results.rounds}`, async (measure, way) => {
      results.add(round, way.name, await tried(measure, setting, way));
    });
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
