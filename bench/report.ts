import { table } from "#cli/output/table.ts";
import { formatMachine, formatSummary } from "./format.ts";
import type { Cores } from "./measure/pinning.ts";
import type { MeshReport, ProcessMemory } from "./mesh/mesh-bench.ts";
import { type Budget, METRICS, type Metric, NODE_MEMORY_BUDGET_MIB } from "./metrics.ts";
import type { Results } from "./results.ts";
import { ratios, type Summary, summary } from "./statistics.ts";

/** What is measured, and what it is compared with. */
const SUBJECT = "heddle";
const YARDSTICK = "haproxy";

/** Everything that was measured, as text for people. */
export const formatMeshReport = (report: MeshReport): string =>
  [
    `${formatMachine(report.machine)}\n${report.results.rounds} rounds; ${formatCores(report.cores)}`,
    formatMetrics(report.results, report.ways),
    formatMemory(report.memory),
    ...(report.results.notes.length > 0 ? [report.results.notes.map((note) => `! ${note}`).join("\n")] : []),
  ].join("\n\n");

const formatCores = (cores: Cores): string =>
  cores.kind === "shared"
    ? "everything shares one core"
    : `proxies of both nodes on core ${cores.proxies}, load and server on core ${cores.load}`;

/** One line for each metric: medians with their spread, the ratio to the yardstick and the budget for it. */
export const formatMetrics = (results: Results, ways: readonly string[]): string => {
  const head = ["", "", ...ways, `${SUBJECT}/${YARDSTICK}`, "budget", ""];
  const rows = METRICS.filter(({ id }) => ways.some((way) => summary(results.of(id, way)) !== undefined)).map(
    (metric) => [
      metric.title,
      metric.unit,
      ...ways.map((way) => formatSummary(summary(results.of(metric.id, way)))),
      metric.isAbsolute ? "" : formatSummary(ratioOf(results, metric)),
      ...(metric.budget ? verdict(metric.budget, results, metric) : []),
    ],
  );
  return table([head, ...rows]);
};

const ratioOf = (results: Results, { id }: Metric): Summary | undefined =>
  summary(ratios(results.of(id, SUBJECT), results.of(id, YARDSTICK)));

const verdict = (budget: Budget, results: Results, metric: Metric): readonly string[] => {
  const measured = budget.kind === "ratio" ? ratioOf(results, metric) : summary(results.of(metric.id, SUBJECT));
  const unit = budget.kind === "value" ? ` ${metric.unit}` : "";
  const limit = "atMost" in budget ? `<= ${budget.atMost}${unit}` : `>= ${budget.atLeast}${unit}`;
  if (!measured) return [limit, "not measured"];
  const isMet = "atMost" in budget ? measured.median <= budget.atMost : measured.median >= budget.atLeast;
  return [limit, isMet ? "met" : "not met"];
};

/** PSS of each process, and of the processes of a node together. */
export const formatMemory = (memory: readonly ProcessMemory[]): string => {
  const head = ["memory, MiB PSS", "idle", "after load", "budget", ""];
  const rows = memory.map(({ label, idleKib, loadedKib }) => [label, formatMib(idleKib), formatMib(loadedKib)]);
  const sums = (["client", "server"] as const).flatMap((side) => {
    const own = memory.filter((process) => process.way === SUBJECT && process.side === side);
    if (own.length === 0) return [];
    const idleKib = sum(own.map((process) => process.idleKib));
    const isMet = idleKib !== undefined && idleKib / 1024 <= NODE_MEMORY_BUDGET_MIB;
    const judged = idleKib === undefined ? "not measured" : isMet ? "met" : "not met";
    return [
      [
        `${SUBJECT}, node of the ${side}`,
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

const formatMib = (kib: number | undefined): string => (kib === undefined ? "-" : (kib / 1024).toFixed(1));
