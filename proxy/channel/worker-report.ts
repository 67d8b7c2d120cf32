import { encodeFrame, type Frame } from "./frame.ts";

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
  /** What happened to connections. `dropped`: how many lines were left out since the last report. */
  | { readonly kind: "flows"; readonly flows: readonly Flow[]; readonly dropped: number }
  /** Which pods are served: their sockets are being accepted from. */
  | { readonly kind: "serving"; readonly slots: readonly number[] };

/** One time series of a counter. */
export interface Series {
  readonly id: number;
  readonly metric: string;
  readonly labels: Labels;
}

export type Labels = Readonly<Record<string, string>>;

/** One line of the access log. */
export type Flow = Readonly<Record<string, string | number>>;

const MAX_TEXT = 1024;
const MAX_FIELDS = 64;
const FIELD_NAME = /^[a-z][a-z0-9_.]{0,63}$/;
/** Prometheus data model: no dots. */
const METRIC_NAME = /^[a-z][a-z0-9_]{0,63}$/;

export const encodeWorkerReport = (report: WorkerReport): Uint8Array => encodeFrame(report);

/**
 * A report as far as it has the right form. Workers parse bytes from pods, so that nothing in a report is believed beyond
 * its type: names are checked, texts cut, numbers must be finite and not negative.
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
      return isListOf(report.flows, isFields) && isCount(report.dropped)
        ? { kind: "flows", flows: report.flows.map(cut), dropped: report.dropped }
        : undefined;
    case "counters":
      return isListOf(report.series, isSeries) && isListOf(report.totals, isTotal)
        ? {
            kind: "counters",
            series: report.series.map((series) => ({ ...series, labels: cut(series.labels) as Labels })),
            totals: report.totals,
          }
        : undefined;
    default:
      return undefined;
  }
};

const isCount = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0;

const isListOf = <Item>(value: unknown, isItem: (item: unknown) => item is Item): value is readonly Item[] =>
  Array.isArray(value) && value.every((item: unknown) => isItem(item));

const isFields = (value: unknown): value is Flow =>
  hasFields(value) &&
  Object.entries(value).every(
    ([name, field]) => FIELD_NAME.test(name) && (typeof field === "string" || isCount(field)),
  );

const isLabels = (value: unknown): value is Labels =>
  hasFields(value) &&
  Object.entries(value).every(([name, label]) => METRIC_NAME.test(name) && typeof label === "string");

const hasFields = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.keys(value).length <= MAX_FIELDS;

const isSeries = (value: unknown): value is Series => {
  const series = value as Partial<Series> | null;
  return (
    isCount(series?.id) &&
    typeof series?.metric === "string" &&
    METRIC_NAME.test(series.metric) &&
    isLabels(series.labels)
  );
};

const isTotal = (value: unknown): value is readonly [number, number] =>
  Array.isArray(value) && value.length === 2 && isCount(value[0]) && isCount(value[1]);

const cut = (fields: Flow): Flow =>
  Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, typeof field === "string" ? field.slice(0, MAX_TEXT) : field]),
  );
