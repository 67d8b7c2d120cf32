import { table } from "#cli/output/table.ts";
import { formatMachine, formatNumber, formatSummary } from "../format.ts";
import { ratios, summary } from "../statistics.ts";
import { type Flood, FLOODS } from "./floods.ts";
import type { FloodReport } from "./floods-bench.ts";
import { TARGETS, type TargetKind } from "./targets.ts";

/** Bytes that we may hold for a byte that was sent; how long one thing may take; how much slower others may get. */
const BUDGETS = { held: 100, blockMs: 50, p99: 2 };

/** Everything that was measured, as text for people. */
export const formatFloodReport = (report: FloodReport): string => {
  const { machine, cores, results } = report;
  const where =
    cores.kind === "split"
      ? `the server on core ${cores.proxies}, attacker and client on core ${cores.load}`
      : "everything shares one core";
  return [
    `${formatMachine(machine)}\n${results.rounds} rounds; ${where}`,
    ...TARGETS.map((kind) => formatTarget(report, kind)),
    ...(results.notes.length > 0 ? [results.notes.map((note) => `! ${note}`).join("\n")] : []),
  ].join("\n\n");
};

const formatTarget = (report: FloodReport, kind: TargetKind): string => {
  const head = [
    `flood of ${NAMES[kind]}`,
    "sent MB/s",
    "conn/s",
    "held KiB",
    "held/sent",
    "block ms",
    "by the clock",
    "p99 ms",
  ];
  const rows = FLOODS.filter(({ only }) => only === undefined || only === kind).map((flood) =>
    formatFlood(report, kind, flood),
  );
  return table([[...head, "quiet", "ratio", "over budget", "how connections ended"], ...rows]);
};

const NAMES: Readonly<Record<TargetKind, string>> = { http2: "HTTP/2 requests", tunnel: "tunnels" };

const formatFlood = ({ results, endings }: FloodReport, kind: TargetKind, { id, title }: Flood): readonly string[] => {
  const of = (metric: string) => results.of(`${id} ${metric}`, kind);
  const held = summary(ratios(of("held"), of("held of")));
  const block = summary(of("block"));
  const slower = summary(ratios(of("p99"), of("p99 alone")));
  const over = [
    ...(held && held.median >= BUDGETS.held ? ["memory"] : []),
    ...(block && block.median > BUDGETS.blockMs ? ["block"] : []),
    ...(slower && slower.median >= BUDGETS.p99 ? [slower.min >= BUDGETS.p99 ? "p99" : "p99, not in each round"] : []),
  ];
  const scaled = (metric: string, unit: number): string => {
    const median = summary(of(metric))?.median;
    return median === undefined ? "-" : formatNumber(median / unit);
  };
  return [
    title,
    scaled("sent", 1e6),
    scaled("connections", 1),
    scaled("held", 1024),
    formatNumber(held?.median ?? Number.NaN),
    formatSummary(block),
    scaled("block by the clock", 1),
    formatSummary(summary(of("p99"))),
    scaled("p99 alone", 1),
    formatSummary(slower),
    over.join(", "),
    formatEndings(endings[`${id} ${kind}`] ?? {}),
  ];
};

const formatEndings = (endings: Readonly<Record<string, number>>): string =>
  Object.entries(endings)
    .sort(([, left], [, right]) => right - left)
    .map(([ending, count]) => `${ending} ${count}`)
    .join(", ");
