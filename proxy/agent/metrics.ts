import type { Labels, Series } from "../channel/worker-report.ts";

/** Series that are kept; what comes beyond is counted in one that says so. */
const MAX_SERIES = 50_000;
/** The flag of connections that ended because their worker did. */
const WORKER_LOST = "WORKER_LOST";

interface KeptSeries {
  readonly metric: string;
  readonly labels: Labels;
  /** The sum over workers that are gone. */
  base: number;
  /** Running totals by the workers' start ids. */
  readonly live: Map<string, number>;
}

/**
 * The counters of all workers, added up. A worker reports totals since its own start, so that a report that is repeated or
 * lost changes nothing; when a worker is gone its last totals are kept, and a new one starts at zero beside them.
 */
export class MergedCounters {
  readonly #series = new Map<string, KeptSeries>();
  /** For each start id: the worker's own numbers for its series. */
  readonly #byWorker = new Map<string, Map<number, KeptSeries>>();

  /** Takes a worker's report over. Totals of a series that was never named are ignored. */
  report(startId: string, series: readonly Series[], totals: readonly (readonly [number, number])[]): void {
    const numbers = this.#byWorker.get(startId) ?? new Map<number, KeptSeries>();
    this.#byWorker.set(startId, numbers);
    for (const { id, metric, labels } of series) numbers.set(id, this.#keep(metric, labels));
    for (const [id, total] of totals) {
      const kept = numbers.get(id);
      // A counter that goes down is not one: whatever the worker says, nothing is taken back.
      if (kept) kept.live.set(startId, Math.max(total, kept.live.get(startId) ?? 0));
    }
  }

  /** A worker is gone, and with it the connections that it had open. @returns how many those were */
  workerGone(startId: string): number {
    const series = new Set(this.#byWorker.get(startId)?.values());
    this.#byWorker.delete(startId);
    const lost = countOpen(series, startId);
    for (const kept of series) {
      kept.base += kept.live.get(startId) ?? 0;
      kept.live.delete(startId);
    }
    for (const { labels, open } of lost) {
      this.#keep("istio_tcp_connections_closed_total", { ...labels, response_flags: WORKER_LOST }).base += open;
    }
    return lost.reduce((sum, { open }) => sum + open, 0);
  }

  /** Connections that a worker has open, by its own count. */
  openConnections(startId: string): number {
    return countOpen(new Set(this.#byWorker.get(startId)?.values()), startId).reduce((sum, { open }) => sum + open, 0);
  }

  *totals(): Generator<{ readonly metric: string; readonly labels: Labels; readonly total: number }> {
    for (const { metric, labels, base, live } of this.#series.values()) {
      yield { metric, labels, total: [...live.values()].reduce((sum, total) => sum + total, base) };
    }
  }

  #keep(metric: string, labels: Labels): KeptSeries {
    const key = `${metric}${JSON.stringify(labels)}`;
    const known = this.#series.get(key);
    if (known) return known;
    if (this.#series.size >= MAX_SERIES && labels.overflow === undefined)
      return this.#keep(metric, { overflow: "true" });
    const kept: KeptSeries = { metric, labels, base: 0, live: new Map() };
    this.#series.set(key, kept);
    return kept;
  }
}

/** Opened minus closed, for each set of labels, of one worker. */
const countOpen = (series: ReadonlySet<KeptSeries>, startId: string): { labels: Labels; open: number }[] => {
  const ends = new Map<string, { labels: Labels; open: number }>();
  for (const { metric, labels, live } of series) {
    const sign = SIGNS.get(metric);
    if (sign === undefined) continue;
    const { response_flags: _, ...rest } = labels;
    const key = JSON.stringify(rest);
    const end = ends.get(key) ?? { labels: rest, open: 0 };
    end.open += sign * (live.get(startId) ?? 0);
    ends.set(key, end);
  }
  return [...ends.values()].filter(({ open }) => open > 0);
};

const SIGNS: ReadonlyMap<string, number> = new Map([
  ["istio_tcp_connections_opened_total", 1],
  ["istio_tcp_connections_closed_total", -1],
]);
