import { METRICS, type Metric } from "./metrics.ts";
import type { Results } from "./results.ts";
import { ratios, type Summary, summary } from "./statistics.ts";

/** What the subject is allowed, against the yardstick in the same run or as such. */
export type Budget =
  | { readonly kind: "ratio"; readonly atMost: number }
  | { readonly kind: "ratio"; readonly atLeast: number }
  | { readonly kind: "value"; readonly atMost: number };

/** Two ways of which one is measured by the other. */
export interface Comparison {
  readonly subject: string;
  readonly yardstick: string;
  /** By the id of the metric. */
  readonly budgets: Readonly<Record<string, Budget>>;
}

/** What a comparison says of one metric. */
export interface Finding {
  readonly metric: string;
  /** The subject's value over the yardstick's; undefined where either was not measured, or the metric is absolute. */
  readonly ratio: Summary | undefined;
  /** Of each round. */
  readonly ratios: readonly (number | undefined)[];
  readonly judgement: Judgement | undefined;
}

/** A budget, and what was measured against it. */
export interface Judgement {
  readonly budget: Budget;
  readonly measured: Summary | undefined;
  readonly verdict: "met" | "not met" | "not measured";
}

export interface ComparisonFindings {
  readonly subject: string;
  readonly yardstick: string;
  /** Of every metric, in the order of the table. */
  readonly findings: readonly Finding[];
}

/** Compares round by round; budgets are for the median. */
export const compare = (results: Results, { subject, yardstick, budgets }: Comparison): ComparisonFindings => ({
  subject,
  yardstick,
  findings: METRICS.map((metric) => {
    const values = results.of(metric.id, subject);
    const rounds = metric.isAbsolute ? [] : ratios(values, results.of(metric.id, yardstick));
    const ratio = summary(rounds);
    return { metric: metric.id, ratio, ratios: rounds, judgement: judge(budgets[metric.id], ratio, summary(values)) };
  }),
});

const judge = (
  budget: Budget | undefined,
  ratio: Summary | undefined,
  value: Summary | undefined,
): Judgement | undefined => {
  if (!budget) return undefined;
  const measured = budget.kind === "ratio" ? ratio : value;
  if (!measured) return { budget, measured, verdict: "not measured" };
  const isMet = "atMost" in budget ? measured.median <= budget.atMost : measured.median >= budget.atLeast;
  return { budget, measured, verdict: isMet ? "met" : "not met" };
};

/** For people: `<= 0.7`, `<= 20 KiB`. */
export const formatBudget = (budget: Budget, { unit }: Metric): string => {
  const limit = "atMost" in budget ? `<= ${budget.atMost}` : `>= ${budget.atLeast}`;
  return budget.kind === "value" ? `${limit} ${unit}` : limit;
};
