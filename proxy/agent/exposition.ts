import type { Labels } from "../channel/worker-report.ts";

/** One metric with its series, for {@link formatExposition}. */
export type MetricFamily = ScalarFamily | HistogramFamily;

interface Family {
  readonly name: string;
  readonly help: string;
}

export interface ScalarFamily extends Family {
  readonly type: "counter" | "gauge";
  readonly samples: readonly { readonly labels: Labels; readonly value: number }[];
}

export interface HistogramFamily extends Family {
  readonly type: "histogram";
  /** Upper bounds of the buckets, rising; one bucket more has none. */
  readonly bounds: readonly number[];
  /** `counts`: how often in each bucket alone. */
  readonly samples: readonly { readonly labels: Labels; readonly counts: readonly number[]; readonly sum: number }[];
}

/** Prometheus text format, version 0.0.4. Label values are anybody's text: quotes, backslashes and line ends are escaped. */
export const formatExposition = (families: Iterable<MetricFamily>): string =>
  Array.from(expositionParts(families)).join("");

/** The same in pieces, one for each series: all of it may be tens of megabytes. */
export function* expositionParts(families: Iterable<MetricFamily>): Generator<string> {
  for (const family of families) {
    const { name, type, help } = family;
    yield `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    if (family.type === "histogram") {
      for (const sample of family.samples) yield histogramLines(family, sample);
    } else {
      for (const { labels, value } of family.samples) yield `${name}${braced(formatLabels(labels))} ${value}\n`;
    }
  }
}

/** Buckets are told with all that is below them. */
const histogramLines = (
  { name, bounds }: HistogramFamily,
  { labels, counts, sum }: HistogramFamily["samples"][number],
): string => {
  const own = formatLabels(labels);
  const prefix = `${name}_bucket{${own}${own === "" ? "" : ","}le="`;
  let below = 0;
  let lines = "";
  for (const [bucket, count] of counts.entries()) {
    below += count;
    lines += `${prefix}${bounds[bucket] ?? "+Inf"}"} ${below}\n`;
  }
  return `${lines}${name}_sum${braced(own)} ${sum}\n${name}_count${braced(own)} ${below}\n`;
};

const braced = (labels: string): string => (labels === "" ? "" : `{${labels}}`);

const formatLabels = (labels: Labels): string => {
  let pairs = "";
  for (const name in labels) pairs += `${pairs === "" ? "" : ","}${name}="${escape(labels[name] ?? "")}"`;
  return pairs;
};

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };

const escape = (value: string): string => value.replace(/[\\"\n]/g, (character) => ESCAPES[character] ?? "");
