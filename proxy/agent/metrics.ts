import type { WorkerMetric } from "../channel/worker-metrics.ts";
import type { Labels, Series } from "../channel/worker-report.ts";

/** Series that are kept; what comes beyond is counted in one for each metric that says so. */
const MAX_SERIES = 50_000;
/** The labels of a series in which everything is that has no series of its own. */
export const OVERFLOW: Labels = { overflow: "true" };
/** The flag of connections that ended because their worker did. */
const WORKER_LOST = "WORKER_LOST";

interface KeptSeries {
  readonly metric: WorkerMetric;
  readonly labels: Labels;
  /** Over all workers, those that are gone included. */
  total: number;
}

/** A series as one worker numbers it. Several of one worker may be one here, in the overflow. */
interface WorkerSeries {
  readonly kept: KeptSeries;
  /** What the worker last said. */
  total: number;
}

/**
 * The counters of all workers, added up. A worker reports totals since its own start, so that a report that is repeated or
 * lost changes nothing; when a worker is gone what it counted stays, and a new one starts at zero beside it.
 */
export class MergedCounters {
  readonly #series = new Map<string, KeptSeries>();
  /** For each start id: the worker's own numbers for its series. */
  readonly #byWorker = new Map<string, Map<number, WorkerSeries>>();

  /** Takes a worker's report over. Totals of a series that was never named are ignored, and names after the first. */
  report(startId: string, series: readonly Series[], totals: readonly (readonly [number, number])[]): void {
    const own = this.#byWorker.get(startId) ?? new Map<number, WorkerSeries>();
    this.#byWorker.set(startId, own);
    for (const { id, metric, labels } of series) {
      if (!own.has(id)) own.set(id, { kept: this.#keep(metric, wellFormed(labels)), total: 0 });
    }
    for (const [id, total] of totals) {
      const each = own.get(id);
      // A counter that goes down is not one: whatever the worker says, nothing is taken back.
      if (!each || total <= each.total) continue;
      each.kept.total += total - each.total;
      each.total = total;
    }
  }

  /** A worker is gone, and with it the connections that it had open. @returns how many those were */
  workerGone(startId: string): number {
    const lost = openConnections(this.#byWorker.get(startId));
    this.#byWorker.delete(startId);
    for (const { labels, open } of lost) {
      this.#keep("istio_tcp_connections_closed_total", { ...labels, response_flags: WORKER_LOST }).total += open;
    }
    return sum(lost);
  }

  /** Connections that a worker has open, by its own count. */
  openConnections(startId: string): number {
    return sum(openConnections(this.#byWorker.get(startId)));
  }

  /** Requests that a worker has under way, by its own count. */
  requestsInFlight(startId: string): number {
    let started = 0;
    for (const { kept, total } of this.#byWorker.get(startId)?.values() ?? []) {
      if (kept.metric === "heddle_requests_started_total") started += total;
      if (kept.metric === "istio_requests_total") started -= total;
    }
    return Math.max(0, started);
  }

  totals(): Iterable<{ readonly metric: WorkerMetric; readonly labels: Labels; readonly total: number }> {
    return this.#series.values();
  }

  #keep(metric: WorkerMetric, labels: Labels): KeptSeries {
    const key = `${metric} ${labelsKey(labels)}`;
    const known = this.#series.get(key);
    if (known) return known;
    if (this.#series.size >= MAX_SERIES && labels !== OVERFLOW) return this.#keep(metric, OVERFLOW);
    const kept: KeptSeries = { metric, labels, total: 0 };
    this.#series.set(key, kept);
    return kept;
  }
}

/** Half a surrogate pair is written as U+FFFD: two texts that are written the same must be one series. */
export const wellFormed = (labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, value.toWellFormed()]));

/** The same labels in another order are the same series, or the exposition would name it twice. */
export const labelsKey = (labels: Labels): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

interface OpenConnections {
  readonly labels: Labels;
  open: number;
}

/** Opened minus closed of one worker, for each set of labels. */
const openConnections = (series: ReadonlyMap<number, WorkerSeries> = new Map()): readonly OpenConnections[] => {
  const ends = new Map<string, OpenConnections>();
  for (const { kept, total } of series.values()) {
    const sign = SIGNS.get(kept.metric);
    if (sign === undefined) continue;
    const { response_flags: _, ...labels } = kept.labels;
    const key = labelsKey(labels);
    const end = ends.get(key) ?? { labels, open: 0 };
    end.open += sign * total;
    ends.set(key, end);
  }
  return [...ends.values()].filter(({ open }) => open > 0);
};

const SIGNS: ReadonlyMap<WorkerMetric, number> = new Map([
  ["istio_tcp_connections_opened_total", 1],
  ["istio_tcp_connections_closed_total", -1],
]);

const sum = (connections: readonly OpenConnections[]): number =>
  connections.reduce((total, { open }) => total + open, 0);
