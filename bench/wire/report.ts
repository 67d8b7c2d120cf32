import { table } from "#cli/output/table.ts";
import { formatMachine, formatSummary } from "../format.ts";
import type { Results } from "../results.ts";
import { ratios, summary } from "../statistics.ts";
import { CONTESTANTS, TRIALS } from "./trials.ts";
import type { WireReport } from "./wire-bench.ts";

/** Everything that was measured, as text for people. */
export const formatWireReport = ({ machine, results }: WireReport): string =>
  [
    `${formatMachine(machine)}\n${results.rounds} rounds`,
    formatTrials(results),
    ...(results.notes.length > 0 ? [results.notes.map((note) => `! ${note}`).join("\n")] : []),
  ].join("\n\n");

/** One line for each trial: medians with their spread, and the ratio of ours to Node's. */
export const formatTrials = (results: Results): string => {
  const rows = TRIALS.map(({ id, title, unit }) => [
    title,
    unit,
    ...CONTESTANTS.map((contestant) => formatSummary(summary(results.of(id, contestant)))),
    formatSummary(summary(ratios(results.of(id, "wire"), results.of(id, "node")))),
  ]);
  return table([["", "", "wire", "Node.js", "wire/Node.js"], ...rows]);
};
