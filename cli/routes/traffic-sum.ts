import type { RouteBackendKey, RouteTraffic } from "#mesh/admin/route-traffic.ts";

/** What became of the requests that a rule gave to one backend. */
export interface BackendTraffic {
  readonly requests: number;
  /** Answered with 5xx or not at all, or with a status of gRPC for which the server is to blame. */
  readonly failed: number;
  /** By bucket; empty where nothing was measured. */
  readonly counts: readonly number[];
  readonly durationSumMs: number;
}

/** What all nodes counted, by {@link trafficKey}. */
export type TrafficSum = ReadonlyMap<string, BackendTraffic>;

/** @param backend `namespace/hostname:port`; empty: the rule itself answered */
export const trafficKey = ({ route, rule, backend }: RouteBackendKey): string => JSON.stringify([route, rule, backend]);

/** UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS: as OpenTelemetry judges a server's calls. */
const GRPC_FAILURES: ReadonlySet<string> = new Set(["2", "4", "12", "13", "14", "15"]);

/** Adds up what the nodes counted. */
export const sumTraffic = (nodes: readonly RouteTraffic[]): TrafficSum => {
  const sums = new Map<string, BackendTraffic>();
  const add = (key: string, more: Partial<BackendTraffic>): void => {
    const { requests, failed, counts, durationSumMs } = sums.get(key) ?? NOTHING;
    sums.set(key, {
      requests: requests + (more.requests ?? 0),
      failed: failed + (more.failed ?? 0),
      counts: more.counts ? more.counts.map((count, bucket) => count + (counts[bucket] ?? 0)) : counts,
      durationSumMs: durationSumMs + (more.durationSumMs ?? 0),
    });
  };
  for (const { requests, durations } of nodes) {
    for (const { codeClass, grpcStatus, total, ...key } of requests) {
      const isFailure = codeClass === "5xx" || codeClass === "none" || GRPC_FAILURES.has(grpcStatus);
      add(trafficKey(key), { requests: total, failed: isFailure ? total : 0 });
    }
    for (const { counts, sum, ...key } of durations) add(trafficKey(key), { counts, durationSumMs: sum });
  }
  return sums;
};

const NOTHING: BackendTraffic = { requests: 0, failed: 0, counts: [], durationSumMs: 0 };

/** What was counted between two looks. Where a node began anew in between, what it has since. */
export const trafficSince = (before: TrafficSum, now: TrafficSum): TrafficSum =>
  new Map(
    [...now].map(([key, { requests, failed, counts, durationSumMs }]) => {
      const old = before.get(key) ?? NOTHING;
      if (old.requests > requests) return [key, { requests, failed, counts, durationSumMs }];
      return [
        key,
        {
          requests: requests - old.requests,
          failed: Math.max(0, failed - old.failed),
          counts: counts.map((count, bucket) => Math.max(0, count - (old.counts[bucket] ?? 0))),
          durationSumMs: Math.max(0, durationSumMs - old.durationSumMs),
        },
      ];
    }),
  );

/**
 * A quantile of durations in buckets, taken to be spread evenly within each, as Prometheus does it.
 * @param quantile 0 to 1
 * @returns in the unit of the bounds; undefined where there is nothing
 */
export const quantileOf = (
  bounds: readonly number[],
  counts: readonly number[],
  quantile: number,
): number | undefined => {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let rest = quantile * total;
  for (const [bucket, count] of counts.entries()) {
    const lower = bounds[bucket - 1] ?? 0;
    const upper = bounds[bucket];
    if (rest <= count && count > 0) return upper === undefined ? lower : lower + ((upper - lower) * rest) / count;
    rest -= count;
  }
  return bounds.at(-1);
};
