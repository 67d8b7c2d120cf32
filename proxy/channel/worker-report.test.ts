import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Frame, FrameReader, MAX_UP_FRAME_BYTES } from "./frame.ts";
import { HISTOGRAM_BOUNDS, WORKER_METRICS, type WorkerMetric } from "./worker-metrics.ts";
import {
  decodeWorkerReport,
  encodeWorkerReport,
  MAX_HISTOGRAM_IDS,
  MAX_SERIES_IDS,
  type HistogramReading,
  type WorkerReport,
} from "./worker-report.ts";

const decode = (head: unknown): WorkerReport | undefined => decodeWorkerReport({ head, body: new Uint8Array(0) });

/** As it comes out of a frame: a worker writes bytes, not objects. */
const decodeText = (json: string): WorkerReport | undefined => decode(JSON.parse(json));

const METRIC = "istio_tcp_connections_opened_total";
const HISTOGRAM = "istio_request_bytes";
const COUNTS = [...HISTOGRAM_BOUNDS, Infinity].map((_, bucket) => bucket);

test.each<[string, WorkerReport]>([
  ["applied", { kind: "applied", generation: 7 }],
  ["serving", { kind: "serving", slots: [1, 2] }],
  [
    "flows",
    { kind: "flows", flows: [{ event: "opened", "src.addr": "10.0.0.1:1", duration_ms: 3 }], left: [], dropped: 2 },
  ],
  ["counters", { kind: "counters", series: [{ id: 0, metric: METRIC, labels: { a: "b" } }], totals: [[0, 5]] }],
  [
    "histograms",
    {
      kind: "histograms",
      series: [{ id: 0, metric: HISTOGRAM, labels: { a: "b" } }],
      readings: [[0, 0.125, COUNTS]],
    },
  ],
  ["nothing new", { kind: "counters", series: [], totals: [] }],
])("an honest report is read as it was written: %s", (_, report) => {
  const frames = encodeWorkerReport(report).flatMap((bytes) => new FrameReader(MAX_UP_FRAME_BYTES).push(bytes));
  expect(frames.map(decodeWorkerReport)).toEqual([report]);
});

const series = (changes: object): unknown => ({
  kind: "counters",
  series: [{ id: 0, metric: METRIC, labels: {}, ...changes }],
  totals: [],
});
const flow = (fields: object): unknown => ({ kind: "flows", flows: [fields], left: [], dropped: 0 });
const totals = (...values: readonly unknown[]): unknown => ({ kind: "counters", series: [], totals: values });
const histogram = (changes: object): unknown => ({
  kind: "histograms",
  series: [{ id: 0, metric: HISTOGRAM, labels: {}, ...changes }],
  readings: [],
});
const readings = (...values: readonly unknown[]): unknown => ({ kind: "histograms", series: [], readings: values });
const many = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`, ""]));

/** Labels of a thousand characters each. */
const wide = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`, "x".repeat(1_000)]));

test("long labels are taken, as long as all of them together are not too long", () => {
  expect(decode(series({ labels: wide(8) }))).toMatchObject({ series: [{ labels: wide(8) }] });
});

test.each<[string, unknown]>([
  ["null", null],
  ["a number", 5],
  ["a list", []],
  ["no kind", {}],
  ["an unknown kind", { kind: "constructor" }],
  ["a kind that is no text", { kind: ["applied"], generation: 1 }],
  ["no generation", { kind: "applied" }],
  ["a negative generation", { kind: "applied", generation: -1 }],
  ["a generation that is text", { kind: "applied", generation: "1" }],
  ["half a generation", { kind: "applied", generation: 1.5 }],
  ["a generation beyond all", { kind: "applied", generation: 1e308 }],
  ["slots that are no list", { kind: "serving", slots: { length: 1, 0: 1 } }],
  ["a slot that is null", { kind: "serving", slots: [null] }],
  ["flows that are no list", { kind: "flows", flows: {}, left: [], dropped: 0 }],
  ["no number of lost flows", { kind: "flows", flows: [], left: [] }],
  ["lines left out of no pod", { kind: "flows", flows: [], left: [["shop", 3]], dropped: 0 }],
  ["part of a line left out", { kind: "flows", flows: [], left: [["shop", "web", 0.5]], dropped: 0 }],
  ["a negative number of lost flows", { kind: "flows", flows: [], left: [], dropped: -1 }],
  ["a flow that is null", flow(null as unknown as object)],
  ["a flow with an object in it", flow({ event: {} })],
  ["a flow with a list in it", flow({ event: ["x"] })],
  ["a flow with a truth in it", flow({ event: true })],
  ["a flow with a negative number", flow({ bytes_sent: -1 })],
  ["a flow with a field of the agent's: level", flow({ level: 60 })],
  ["a flow with a field of the agent's: msg", flow({ msg: "forged" })],
  ["a flow with a field of the agent's: worker", flow({ worker: 3 })],
  ["a flow with a field of the agent's: process", flow({ process: "agent" })],
  ["a flow with a field of nobody's", flow({ constructor: "x" })],
  ["a series without a number", series({ id: undefined })],
  ["a series with a negative number", series({ id: -1 })],
  ["a series with half a number", series({ id: 0.5 })],
  ["a series with a number that is too high", series({ id: MAX_SERIES_IDS })],
  ["a metric of the agent's", series({ metric: "istio_build" })],
  ["a metric of nobody's", series({ metric: "x" })],
  ["a metric that every object has", series({ metric: "toString" })],
  ["a metric that is no text", series({ metric: [METRIC] })],
  ["labels that are null", series({ labels: null })],
  ["labels that are text", series({ labels: "" })],
  ["a label that is a number", series({ labels: { a: 1 } })],
  ["a label with a bad name", series({ labels: { 'a"b': "x" } })],
  ["a label with an empty name", series({ labels: { "": "x" } })],
  ["a label with Prometheus' own name", series({ labels: { __name__: "x" } })],
  ["a label with too long a name", series({ labels: { ["a".repeat(65)]: "x" } })],
  ["too many labels", series({ labels: many(65) })],
  ["a total that is no pair", totals([1])],
  ["a total with more", totals([1, 2, 3])],
  ["a total that is text", totals([1, "2"])],
  ["a negative total", totals([1, -2])],
  ["a total that is none", totals([1, Number.NaN])],
  ["a total without end", totals([1, Number.POSITIVE_INFINITY])],
  ["a total beyond what can be counted", totals([1, 2 ** 53])],
  ["a total of a series that is too high", totals([MAX_SERIES_IDS, 1])],
  ["labels that are too long together", series({ labels: wide(9) })],
  ["a counter as a histogram", histogram({ metric: METRIC })],
  ["a histogram as a counter", series({ metric: HISTOGRAM })],
  ["a histogram that every object has", histogram({ metric: "toString" })],
  ["a histogram with a number that is too high", histogram({ id: MAX_HISTOGRAM_IDS })],
  ["a histogram with a label of the exposition's", histogram({ labels: { le: "1" } })],
  ["a histogram whose labels are no object", histogram({ labels: "le" })],
  ["a reading that is no triple", readings([0, 1])],
  ["a reading with more", readings([0, 1, COUNTS, 1])],
  ["a reading of a histogram that is too high", readings([MAX_HISTOGRAM_IDS, 1, COUNTS])],
  ["a reading with too few buckets", readings([0, 1, COUNTS.slice(1)])],
  ["a reading with too many buckets", readings([0, 1, [...COUNTS, 1]])],
  ["a reading whose buckets are no list", readings([0, 1, { length: COUNTS.length }])],
  ["a reading with half a count", readings([0, 1, COUNTS.map(() => 0.5)])],
  ["a reading with a negative count", readings([0, 1, COUNTS.map(() => -1)])],
  ["a negative sum", readings([0, -1, COUNTS])],
  ["a sum that is text", readings([0, "1", COUNTS])],
  ["a sum that is none", readings([0, Number.NaN, COUNTS])],
  ["a sum beyond all", readings([0, 1e308, COUNTS])],
  ["readings that are no list", { kind: "histograms", series: [], readings: {} }],
])("a report is refused as a whole for: %s", (_, report) => {
  expect(decode(report)).toBeUndefined();
});

test.each([
  `{"kind":"flows","flows":[{"__proto__":"x"}],"left":[],"dropped":0}`,
  `{"kind":"counters","series":[{"id":0,"metric":"${METRIC}","labels":{"__proto__":"x"}}],"totals":[]}`,
  `{"kind":"counters","series":[{"id":0,"metric":"__proto__","labels":{}}],"totals":[]}`,
  `{"__proto__":{"kind":"applied"},"generation":1}`,
])("a prototype cannot be named: %s", (json) => {
  expect(decodeText(json)).toBeUndefined();
  expect(Object.prototype).not.toHaveProperty("kind");
});

test("nothing of a series is taken over but what is known of it", () => {
  expect(decode(series({ extra: "x".repeat(100), labels: { a: "b" } }))).toEqual({
    kind: "counters",
    series: [{ id: 0, metric: METRIC, labels: { a: "b" } }],
    totals: [],
  });
});

test("long texts are cut", () => {
  const long = "x".repeat(5_000);
  expect(decode(flow({ error: long }))).toEqual({
    kind: "flows",
    flows: [{ error: "x".repeat(1024) }],
    left: [],
    dropped: 0,
  });
  expect(decode(series({ labels: { a: long } }))).toMatchObject({ series: [{ labels: { a: "x".repeat(1024) } }] });
});

test.each([
  ["a line end", "a\nb", "a\\u000ab"],
  ["an escape of terminals", "\u001b[2J", "\\u001b[2J"],
  ["one of eight bits", "\u009b2J", "\\u009b2J"],
  ["delete", "\u007f", "\\u007f"],
  ["a change of direction", "\u202egpj", "\\u202egpj"],
  ["what is no text", "\ud800", "\\ud800"],
  ["all that is visible", '~ "x" \\ {1}', '~ "x" \\ {1}'],
])("a line of the log steers no terminal: %s", (_, sent, told) => {
  expect(decode(flow({ path: sent, error: sent }))).toEqual({
    kind: "flows",
    flows: [{ path: told, error: told }],
    left: [],
    dropped: 0,
  });
});

test("no JSON at all makes the reader throw, and what is taken has its types", () => {
  const kinds = fc.constantFrom("applied", "serving", "flows", "counters", "histograms");
  const fields = fc.dictionary(
    fc.constantFrom("generation", "slots", "flows", "left", "dropped", "series", "totals", "readings"),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.tuple(kinds, fields), ([kind, rest]) => {
      const report = decode({ ...rest, kind });
      if (report?.kind === "applied") expect(report.generation).toBeGreaterThanOrEqual(0);
      if (report?.kind === "flows") expect(report.flows.every((each) => typeof each === "object")).toBe(true);
    }),
    { numRuns: 1_000 },
  );
  fc.assert(fc.property(fc.jsonValue(), (head) => void decode(head)));
});

const framesOf = (report: WorkerReport): readonly Frame[] =>
  encodeWorkerReport(report).flatMap((bytes) => new FrameReader(MAX_UP_FRAME_BYTES).push(bytes));

test("lines that are too long for one frame go in several, in order", () => {
  const flows = Array.from({ length: 300 }, (_, index) => ({ trace_id: index, error: "e".repeat(20_000) }));
  const reports = framesOf({ kind: "flows", flows, left: [], dropped: 5 }).map(decodeWorkerReport);
  expect(reports.length).toBeGreaterThan(1);
  const read = reports.flatMap((report) => (report?.kind === "flows" ? report.flows : []));
  expect(read.map(({ trace_id }) => trace_id)).toEqual(flows.map(({ trace_id }) => trace_id));
  expect(reports.reduce((sum, report) => sum + (report?.kind === "flows" ? report.dropped : 0), 0)).toBe(5);
});

test("a line that alone is too long for a frame is left out, and counted", () => {
  const flows = [{ trace_id: 1 }, { error: "e".repeat(2 ** 21) }, { trace_id: 2 }];
  const reports = framesOf({ kind: "flows", flows, left: [], dropped: 0 }).map(decodeWorkerReport);
  const read = reports.flatMap((report) => (report?.kind === "flows" ? report.flows : []));
  expect(read).toEqual([{ trace_id: 1 }, { trace_id: 2 }]);
  expect(reports.reduce((sum, report) => sum + (report?.kind === "flows" ? report.dropped : 0), 0)).toBe(1);
});

test("series that are too long for one frame go in several, each before any total", () => {
  const metrics = Object.keys(WORKER_METRICS) as WorkerMetric[];
  const named = Array.from({ length: 400 }, (_, id) => ({
    id,
    metric: metrics[id % metrics.length] ?? METRIC,
    labels: { a: "v".repeat(10_000) },
  }));
  const counted = Array.from({ length: 16_000 }, (_, id): [number, number] => [id, Number.MAX_SAFE_INTEGER]);
  const reports = framesOf({ kind: "counters", series: named, totals: counted }).map(decodeWorkerReport);
  const counters = reports.flatMap((report) => (report?.kind === "counters" ? [report] : []));
  expect(counters.flatMap(({ series }) => series.map(({ id }) => id))).toEqual(named.map(({ id }) => id));
  expect(counters.flatMap(({ totals }) => totals)).toEqual(counted);
  const firstTotals = counters.findIndex(({ totals }) => totals.length > 0);
  expect(counters.slice(firstTotals).every(({ series }) => series.length === 0)).toBe(true);
});

test("readings that are too long for one frame go in several, after the names of their series", () => {
  const named = Array.from(
    { length: 400 },
    (_, id) => ({ id, metric: HISTOGRAM, labels: { a: "v".repeat(5_000) } }) as const,
  );
  const counts = COUNTS.map(() => Number.MAX_SAFE_INTEGER);
  const read = Array.from({ length: 6_000 }, (_, id): HistogramReading => [id, Number.MAX_SAFE_INTEGER, counts]);
  const reports = framesOf({ kind: "histograms", series: named, readings: read }).map(decodeWorkerReport);
  const histograms = reports.flatMap((report) => (report?.kind === "histograms" ? [report] : []));
  expect(histograms.length).toBeGreaterThan(2);
  expect(histograms.flatMap(({ series }) => series.map(({ id }) => id))).toEqual(named.map(({ id }) => id));
  expect(histograms.flatMap(({ readings }) => readings)).toEqual(read);
  const firstReadings = histograms.findIndex(({ readings }) => readings.length > 0);
  expect(histograms.slice(firstReadings).every(({ series }) => series.length === 0)).toBe(true);
});
