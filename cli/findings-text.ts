import type { Finding } from "./diagnosis.ts";
import { bad, dim, doubtful } from "./output/colours.ts";

/** Findings as lines for people, problems first. */
export const findingsText = (findings: readonly Finding[]): string =>
  findings
    .toSorted((a, b) => Number(a.severity === "notice") - Number(b.severity === "notice"))
    .map(line)
    .join("\n");

const line = ({ severity, about, text, hint }: Finding): string => {
  const mark = severity === "problem" ? bad("problem") : doubtful("notice ");
  return `${mark}  ${about}: ${text}${hint === undefined ? "" : dim(`  (${hint})`)}`;
};
