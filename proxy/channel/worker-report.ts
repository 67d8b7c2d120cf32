import { encodeFrame, type Frame, MAX_UP_FRAME_BYTES } from "./frame.ts";
import {
  HISTOGRAM_BOUNDS,
  isWorkerHistogram,
  isWorkerMetric,
  type WorkerHistogram,
  type WorkerMetric,
} from "./worker-metrics.ts";

/** What a worker tells the agent. */
export type WorkerReport =
  /** The worker decides by this generation, or a newer one. */
  | { readonly kind: "applied"; readonly generation: number }
  /** New series and new totals. A series is named once and then known by its number. */
  | {
      readonly kind: "counters";
      readonly series: readonly Series[];
      readonly totals: readonly (readonly [id: number, total: number])[];
    }
  /** The same for histograms, which have numbers of their own. */
  | {
      readonly kind: "histograms";
      readonly series: readonly Series<WorkerHistogram>[];
      readonly readings: readonly HistogramReading[];
    }
  /**
   * What happened to connections and requests. Lines that were left out since the last report: `left` of pods that had too many,
   * `dropped` because there were too many of all.
   */
  | {
      readonly kind: "flows";
      readonly flows: readonly Flow[];
      readonly left: readonly LeftOut[];
      readonly dropped: number;
    }
  /** Which pods are served: their sockets are being accepted from. */
  | { readonly kind: "serving"; readonly slots: readonly number[] };

/** One time series of a metric. */
export interface Series<Metric extends string = WorkerMetric> {
  readonly id: number;
  readonly metric: Metric;
  readonly labels: Labels;
}

/** All that a histogram has observed: the sum, and how many fell into each bucket alone, in the order of their bounds. */
export type HistogramReading = readonly [id: number, sum: number, counts: readonly number[]];

/** How many lines of a pod were left out. */
export type LeftOut = readonly [namespace: string, name: string, lines: number];

export type Labels = Readonly<Record<string, string>>;

/** The fields of an access log line that a worker fills in; no others, so that it cannot forge those of the agent's. */
const FLOW_FIELDS = [
  "event",
  "direction",
  "trace_id",
  "duration_ms",
  "src.addr",
  "src.workload",
  "src.namespace",
  "src.identity",
  "dst.addr",
  "dst.workload",
  "dst.namespace",
  "dst.identity",
  "dst.service",
  "dst.hbone_addr",
  "dst.endpoint",
  "dst.tls",
  "pod.namespace",
  "pod.name",
  "connection_security_policy",
  "plaintext_reason",
  "policy",
  "response_flags",
  "reason",
  "error",
  "bytes_sent",
  "bytes_recv",
  "method",
  "authority",
  "path",
  "protocol",
  "response_code",
  "grpc_status",
  "request_id",
  "route",
  "route_rule",
  "backend",
  "attempts",
] as const;

/** One line of the access log. What is undefined is not told. */
export type Flow = Readonly<Partial<Record<(typeof FLOW_FIELDS)[number], string | number | undefined>>>;

/** Numbers of series are below this, so that what the agent keeps of a worker is bounded. */
export const MAX_SERIES_IDS = 16_384;
/** The same for histograms, each of which is two dozen lines of the exposition. */
export const MAX_HISTOGRAM_IDS = 6_144;

const MAX_TEXT = 1024;
const MAX_LABELS = 64;
/** Of all labels of a series together; those of Istio have less than a thousand, and the longest names of all 4,000. */
const MAX_LABEL_TEXT = 8_192;
/** Prometheus data model; names that begin with underscores are Prometheus' own. */
const LABEL_NAME = /^[a-z][a-z0-9_]{0,63}$/;
const FIELD_NAMES: ReadonlySet<string> = new Set(FLOW_FIELDS);

/** @returns the frames to write, in order: a report that is longer than a frame may be goes in parts */
export const encodeWorkerReport = (report: WorkerReport): readonly Uint8Array[] => {
  const frame = encodeFrame(report);
  return frame.length <= MAX_UP_FRAME_BYTES ? [frame] : partsOf(report).flatMap(encodeWorkerReport);
};

/** What alone is longer than a frame is left out; series go before their totals. */
const partsOf = (report: WorkerReport): readonly WorkerReport[] => {
  if (report.kind === "flows") {
    const { kind, flows, left, dropped } = report;
    const half = Math.ceil(flows.length / 2);
    if (flows.length < 2) return [{ kind, flows: [], left, dropped: dropped + flows.length }];
    return [
      { kind, flows: flows.slice(0, half), left, dropped },
      { kind, flows: flows.slice(half), left: [], dropped: 0 },
    ];
  }
  if (report.kind === "counters") {
    return halvesOf(report.series, report.totals, (series, totals) => ({ kind: "counters", series, totals }));
  }
  if (report.kind === "histograms") {
    return halvesOf(report.series, report.readings, (series, readings) => ({ kind: "histograms", series, readings }));
  }
  throw new Error(`a report ${report.kind} is too long`);
};

const halvesOf = <Named, Reading>(
  series: readonly Named[],
  readings: readonly Reading[],
  report: (series: readonly Named[], readings: readonly Reading[]) => WorkerReport,
): readonly WorkerReport[] => {
  const half = Math.ceil(series.length / 2);
  const middle = Math.ceil(readings.length / 2);
  return [
    ...(series.length > 1 ? [report(series.slice(0, half), []), report(series.slice(half), [])] : []),
    ...(readings.length > 0 ? [report([], readings.slice(0, middle))] : []),
    ...(readings.length > 1 ? [report([], readings.slice(middle))] : []),
  ];
};

/**
 * A report as far as it has the right form. Workers parse bytes from pods, so that nothing in a report is believed beyond
 * its type: names are checked, texts cut, numbers must be whole and not negative.
 * @returns undefined where the form is wrong: end the worker then
 */
export const decodeWorkerReport = ({ head }: Frame): WorkerReport | undefined => {
  const report = head as { readonly [field: string]: unknown; readonly kind: unknown };
  switch (report?.kind) {
    case "applied":
      return isCount(report.generation) ? { kind: "applied", generation: report.generation } : undefined;
    case "serving":
      return isListOf(report.slots, isCount) ? { kind: "serving", slots: report.slots } : undefined;
    case "flows":
      return isListOf(report.flows, isFlow) && isListOf(report.left, isLeftOut) && isCount(report.dropped)
        ? { kind: "flows", flows: report.flows.map(printable), left: report.left, dropped: report.dropped }
        : undefined;
    case "counters":
      return isListOf(report.series, isSeries) && isListOf(report.totals, isTotal)
        ? { kind: "counters", series: report.series.map(cutSeries), totals: report.totals }
        : undefined;
    case "histograms":
      return isListOf(report.series, isHistogramSeries) && isListOf(report.readings, isReading)
        ? { kind: "histograms", series: report.series.map(cutSeries), readings: report.readings }
        : undefined;
    default:
      return undefined;
  }
};

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const isListOf = <Item>(value: unknown, isItem: (item: unknown) => item is Item): value is readonly Item[] =>
  Array.isArray(value) && value.every((item: unknown) => isItem(item));

/** Thousands of lines a second come this way: nothing is made anew. */
const isFlow = (value: unknown): value is Flow => {
  if (!isObject(value)) return false;
  for (const name in value) {
    const field = (value as Readonly<Record<string, unknown>>)[name];
    if (!FIELD_NAMES.has(name) || !(typeof field === "string" || isCount(field))) return false;
  }
  return true;
};

/** What it names is believed only as far as it names a pod of the worker's own: nothing of it is told otherwise. */
const isLeftOut = (value: unknown): value is LeftOut => {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [namespace, name, lines] = value as readonly unknown[];
  return typeof namespace === "string" && typeof name === "string" && isCount(lines);
};

const isLabels = (value: unknown): value is Labels => {
  if (!isObject(value)) return false;
  const labels = Object.entries(value);
  if (labels.length > MAX_LABELS) return false;
  let characters = 0;
  for (const [name, label] of labels) {
    if (!LABEL_NAME.test(name) || typeof label !== "string") return false;
    characters += Math.min(label.length, MAX_TEXT);
  }
  return characters <= MAX_LABEL_TEXT;
};

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

const isSeries = (value: unknown): value is Series => {
  const series = value as Partial<Series> | null;
  return isSeriesId(series?.id) && isWorkerMetric(series?.metric) && isLabels(series?.labels);
};

const isHistogramSeries = (value: unknown): value is Series<WorkerHistogram> => {
  const series = value as Partial<Series<WorkerHistogram>> | null;
  if (!isHistogramId(series?.id) || !isWorkerHistogram(series?.metric) || !isLabels(series?.labels)) return false;
  // The exposition's own: the bound of a bucket.
  return !Object.hasOwn(series.labels, "le");
};

const isReading = (value: unknown): value is HistogramReading => {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [id, sum, counts] = value as readonly unknown[];
  return isHistogramId(id) && isSum(sum) && isListOf(counts, isCount) && counts.length === HISTOGRAM_BOUNDS.length + 1;
};

/** Not whole, as milliseconds are not. */
const isSum = (value: unknown): value is number =>
  typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;

const isHistogramId = (value: unknown): value is number => isCount(value) && value < MAX_HISTOGRAM_IDS;

const isTotal = (value: unknown): value is readonly [number, number] =>
  Array.isArray(value) && value.length === 2 && isSeriesId(value[0]) && isCount(value[1]);

const isSeriesId = (value: unknown): value is number => isCount(value) && value < MAX_SERIES_IDS;

const cutSeries = <Metric extends string>({ id, metric, labels }: Series<Metric>): Series<Metric> => ({
  id,
  metric,
  labels: cut(labels),
});

/** Texts are shortened in place: what was parsed is nobody else's. */
const cut = <Fields extends Readonly<Record<string, string | number | undefined>>>(fields: Fields): Fields => {
  const own = fields as Record<string, string | number | undefined>;
  for (const name in own) {
    const field = own[name];
    if (typeof field === "string" && field.length > MAX_TEXT) own[name] = field.slice(0, MAX_TEXT);
  }
  return fields;
};

/**
 * The same, and what is no visible ASCII is written as an escape, as `\u009b`: whoever reads a line of the log on a terminal
 * must not be steered by what a client or an application sent.
 */
const printable = (flow: Flow): Flow => {
  const own = cut(flow) as Record<string, Flow[keyof Flow]>;
  for (const name in own) {
    const field = own[name];
    if (typeof field === "string" && NOT_VISIBLE.test(field)) own[name] = field.replaceAll(EACH_NOT_VISIBLE, escaped);
  }
  return flow;
};

const NOT_VISIBLE = /[^ -~]/;
const EACH_NOT_VISIBLE = /[^ -~]/g;

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
