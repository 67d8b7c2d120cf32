import { table } from "#cli/output/table.ts";
import { formatMib } from "../format.ts";
import type { ProcessMemory } from "../measure/process-memory.ts";
import { formatComparisons, formatConditions, formatMetrics, formatNotes } from "../report.ts";
import type { ScaleReport } from "./scale-bench.ts";
import { describeSize } from "./scale-objects.ts";

/** Everything that was measured, as text for people. */
export const formatScaleReport = (report: ScaleReport): string => {
  const names = report.sizes.map(({ name }) => name);
  return [
    formatConditions(report),
    report.sizes.map((size) => `${size.name}: ${describeSize(size)}`).join("\n"),
    formatMetrics(report.results, names),
    formatComparisons(report.comparisons),
    formatScaleMemory(report.memory, names),
    ...formatNotes(report.results),
  ].join("\n\n");
};

/** Of each process side by side. */
const formatScaleMemory = (memory: readonly ProcessMemory[], names: readonly string[]): string => {
  const labels = [...new Set(memory.map(({ label }) => label))];
  const head = ["memory, MiB PSS", ...names.flatMap((name) => [`${name}, idle`, "after load"])];
  const rows = labels.map((label) => [
    label,
    ...names.flatMap((name) => {
      const found = memory.find((process) => process.carrier === name && process.label === label);
      return [formatMib(found?.idleKib), formatMib(found?.loadedKib)];
    }),
  ]);
  return table([head, ...rows]);
};
