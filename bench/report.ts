import { table } from "#cli/output/table.ts";
import { NODE_MEMORY_BUDGET_MIB } from "./budgets.ts";
import { type ComparisonFindings, type Finding, formatBudget } from "./comparison.ts";
import { formatMachine, formatMib, formatSummary } from "./format.ts";
import type { Cores } from "./measure/pinning.ts";
import type { ProcessMemory } from "./measure/process-memory.ts";
import type { MeshReport } from "./mesh/mesh-bench.ts";
import { METRICS, type Metric } from "./metrics.ts";
import type { Results } from "./results.ts";
import { summary } from "./statistics.ts";

/** Whose memory is judged. */
const JUDGED = "heddle";

/** Everything that was measured, as text for people. */
export const formatMeshReport = (report: MeshReport): string =>
  [
    formatConditions(report),
    formatMetrics(report.results, report.ways),
    formatComparisons(report.comparisons),
    formatMemory(report.memory),
    ...formatNotes(report.results),
  ].join("\n\n");

/** On what it was measured, and how. */
export const formatConditions = ({
  machine,
  results,
  cores,
}: Pick<MeshReport, "machine" | "results" | "cores">): string =>
  `${formatMachine(machine)}\n${results.rounds} rounds; ${formatCores(cores)}`;

const formatCores = (cores: Cores): string =>
  cores.kind === "shared"
    ? "everything shares one core"
    : `proxies of both nodes on core ${cores.proxies}, load and server on core ${cores.load}`;

export const formatNotes = ({ notes }: Results): readonly string[] =>
  notes.length > 0 ? [notes.map((note) => `! ${note}`).join("\n")] : [];

/** One line for each metric that was measured: medians with their spread. */
export const formatMetrics = (results: Results, ways: readonly string[]): string => {
  const rows = METRICS.filter(({ id }) => ways.some((way) => summary(results.of(id, way)) !== undefined)).map(
    ({ id, title, unit }) => [title, unit, ...ways.map((way) => formatSummary(summary(results.of(id, way))))],
  );
  return table([["", "", ...ways], ...rows]);
};

/** One line for each metric of which there is a ratio or a budget: for each comparison the ratio, the budget, and whether it is met. */
export const formatComparisons = (comparisons: readonly ComparisonFindings[]): string => {
  const head = ["", ...comparisons.flatMap(({ subject, yardstick }) => [`${subject}/${yardstick}`, "budget", ""])];
  const rows = METRICS.map((metric) => ({
    metric,
    own: comparisons.map(({ findings }) => findings.find((finding) => finding.metric === metric.id)),
  })).filter(({ own }) => own.some((finding) => finding?.ratio ?? finding?.judgement));
  return table([
    head,
    ...rows.map(({ metric, own }) => [metric.title, ...own.flatMap((finding) => formatFinding(metric, finding))]),
  ]);
};

const formatFinding = (metric: Metric, finding: Finding | undefined): readonly string[] => {
  if (!finding?.judgement) return [formatSummary(finding?.ratio), "", ""];
  const { budget, measured, verdict } = finding.judgement;
  return [formatSummary(measured), formatBudget(budget, metric), verdict];
};

/** PSS of each process, and of the processes of a node together. */
export const formatMemory = (memory: readonly ProcessMemory[]): string => {
  const head = ["memory, MiB PSS", "idle", "after load", "budget", ""];
  const rows = memory.map(({ label, idleKib, loadedKib }) => [label, formatMib(idleKib), formatMib(loadedKib)]);
  const sums = (["client", "server"] as const).flatMap((side) => {
    const own = memory.filter((process) => process.carrier === JUDGED && process.side === side);
    if (own.length === 0) return [];
    const idleKib = sum(own.map((process) => process.idleKib));
    const isMet = idleKib !== undefined && idleKib / 1024 <= NODE_MEMORY_BUDGET_MIB;
    const judged = idleKib === undefined ? "not measured" : isMet ? "met" : "not met";
    return [
      [
        `${JUDGED}, node of the ${side}`,
        formatMib(idleKib),
        formatMib(sum(own.map((process) => process.loadedKib))),
        `<= ${NODE_MEMORY_BUDGET_MIB} idle`,
        judged,
      ],
    ];
  });
  return table([head, ...rows, ...sums]);
};

const sum = (values: readonly (number | undefined)[]): number | undefined =>
  values.reduce((total, value) => (total === undefined || value === undefined ? undefined : total + value), 0);
