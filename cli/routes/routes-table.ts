import { bad, bold, dim, doubtful } from "../output/colours.ts";
import { table } from "../output/table.ts";
import type { RouteRow } from "./route-rows.ts";

/** A match longer than this is cut; `-o json` has all of it. */
const MAX_MATCH_CHARACTERS = 60;

/** A table for each port of a Service. What is the same as in the row above is left out. */
export const routesTables = (rows: readonly RouteRow[]): string =>
  [...Map.groupBy(rows, ({ service }) => service)]
    .map(([service, own]) => `${bold(`Service ${service}`)}\n${indented(portTable(own))}`)
    .join("\n\n");

const portTable = (rows: readonly RouteRow[]): string => {
  let above: readonly string[] = [];
  const cells = rows.map((row) => {
    const names = namesOf(row);
    const firstNew = names.findIndex((name, index) => name !== above[index]);
    above = names;
    const shown = names.map((name, index) => (firstNew >= 0 && index >= firstNew ? name : ""));
    return [...shown, ...numbersOf(row)];
  });
  return table([HEADING.map(bold), ...cells]);
};

const HEADING = ["ROUTE", "RULE", "MATCHES", "BACKEND", "WEIGHT", "SHARE", "REQUESTS", "SUCCESS", "P50", "P99"];

const namesOf = ({ group, kind, route, rule, matches }: RouteRow): readonly string[] => [
  `${kind} ${route}${group === "consumer" ? " (its namespace only)" : ""}`,
  rule.name === undefined ? String(rule.index) : `${rule.index} ${rule.name}`,
  shortened(matches.join(" or ")),
];

const numbersOf = ({ backend, problem, weight, wanted, served }: RouteRow): readonly string[] => [
  problem === undefined ? backend : bad(backend),
  weight === undefined || wanted === undefined ? dim("-") : `${weight} (${percent(wanted)})`,
  served ? percent(served.share) : dim("-"),
  served ? String(served.requests) : dim("-"),
  served && served.requests > 0 ? successText(served.success) : dim("-"),
  durationText(served?.p50Ms),
  durationText(served?.p99Ms),
];

const percent = (share: number): string => `${Number((share * 100).toFixed(1))} %`;

/** Never rounded up to 100 %: one failure in a million is one. */
const successText = (success: number): string => {
  if (success === 1) return "100 %";
  const text = `${Math.floor(success * 10_000) / 100} %`;
  return success < 0.99 ? bad(text) : doubtful(text);
};

const durationText = (ms: number | undefined): string => {
  if (ms === undefined) return dim("-");
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)}s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)}ms`;
};

const shortened = (text: string): string =>
  text.length <= MAX_MATCH_CHARACTERS ? text : `${text.slice(0, MAX_MATCH_CHARACTERS - 1)}…`;

const indented = (text: string): string => text.replaceAll(/^/gm, "  ");
