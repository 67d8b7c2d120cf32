import type { Labels } from "../channel/worker-report.ts";

/** One metric with its series, for {@link formatExposition}. */
export interface MetricFamily {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: readonly { readonly labels: Labels; readonly value: number }[];
}

/** Prometheus text format, version 0.0.4. Label values are anybody's text: quotes, backslashes and line ends are escaped. */
export const formatExposition = (families: Iterable<MetricFamily>): string => {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { labels, value } of samples) lines.push(`${name}${formatLabels(labels)} ${value}`);
  }
  return `${lines.join("\n")}\n`;
};

const formatLabels = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
};

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };

const escape = (value: string): string => value.replace(/[\\"\n]/g, (character) => ESCAPES[character] ?? "");
