import { table } from "#cli/output/table.ts";
import { formatMachine, formatSummary } from "../format.ts";
import { ratios, summary } from "../statistics.ts";
import { FORWARDERS, type HopReport } from "./hop-bench.ts";
import { HOPS } from "./hops.ts";

/** What a hop of ours may cost, as a multiple of haproxy's. */
const CPU_BUDGET = 1.3;

/** Everything that was measured, as text for people. */
export const formatHopReport = ({ machine, cores, results }: HopReport): string => {
  const of = (id: string) => FORWARDERS.map((forwarder) => formatSummary(summary(results.of(id, forwarder))));
  const ratio = (id: string) => summary(ratios(results.of(id, "heddle"), results.of(id, "haproxy")));
  const rows = HOPS.flatMap(({ id, title, isHttp2 }) => {
    const cpu = ratio(`${id}-cpu`);
    const verdict = isHttp2 && cpu ? [`<= ${CPU_BUDGET}`, cpu.median <= CPU_BUDGET ? "met" : "not met"] : [];
    return [
      [title, "/s", ...of(id), formatSummary(ratio(id))],
      ["  CPU for a request", "us", ...of(`${id}-cpu`), formatSummary(cpu), ...verdict],
    ];
  });
  const where =
    cores.kind === "split"
      ? `forwarders on core ${cores.proxies}, load and server on core ${cores.load}`
      : "everything shares one core";
  return [
    `${formatMachine(machine)}\n${results.rounds} rounds; ${where}`,
    table([["one hop in clear", "", ...FORWARDERS, "heddle/haproxy", "budget", ""], ...rows]),
  ].join("\n\n");
};
