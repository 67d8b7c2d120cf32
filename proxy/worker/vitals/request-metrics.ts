import type { Service } from "#mesh/service.ts";
import type { Labels } from "../../channel/worker-report.ts";
import type { Counter, Counters } from "./counters.ts";
import type { Histogram } from "./histogram.ts";
import { httpEndLabels, httpOutcomeLabels, type RequestOutcome, responseCodeClass } from "./http-labels.ts";
import { HTTP_RESPONSE_FLAGS } from "./http-response-flag.ts";
import { EndsCache } from "./ends-cache.ts";
import type { ConnectionEnds } from "./tcp-labels.ts";

/** What is counted for requests between the same two ends. A series begins when something is counted in it. */
export interface RequestCounters {
  ended(outcome: RequestOutcome, measured: RequestMeasures): void;
}

/** What a request took. */
export interface RequestMeasures {
  readonly durationMs: number;
  /** Of content. */
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** The series of one outcome. */
interface OutcomeSeries {
  readonly total: Counter;
  readonly duration: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
}

/**
 * Outcomes that are told apart between the same two ends, by status, flag and gRPC status. Applications choose statuses:
 * beyond it only their class is told, so that none can use up the series of all others.
 */
export const MAX_OUTCOMES = 64;

/** Istio's HTTP metrics, and ours beside them. */
export class RequestMetrics {
  readonly #counters: Counters;
  readonly #cache: EndsCache<RequestCounters>;
  readonly #started: Partial<Record<ConnectionEnds["reporter"], Counter>> = {};

  constructor(counters: Counters) {
    this.#counters = counters;
    this.#cache = new EndsCache((ends) => this.#make(ends));
  }

  of(ends: ConnectionEnds): RequestCounters {
    return this.#cache.get(ends);
  }

  started(reporter: ConnectionEnds["reporter"]): void {
    const counter = (this.#started[reporter] ??= this.#counters.counter("heddle_requests_started_total", { reporter }));
    counter.add(1);
  }

  /** The mesh answered by itself, or the request broke off; `reason` is one of our own words. */
  refused(direction: "inbound" | "outbound", reason: string): void {
    this.#counters.counter("heddle_requests_refused_total", { direction, reason }).add(1);
  }

  retried(service: Pick<Service, "namespace" | "hostname"> | undefined, retries: number): void {
    const destination_service = service ? service.hostname : "unknown";
    this.#counters.counter("heddle_request_retries_total", { destination_service }).add(retries);
  }

  #make(ends: ConnectionEnds): RequestCounters {
    const labels = httpEndLabels(ends);
    const made = new Map<number, OutcomeSeries>();
    const seriesOf = (outcome: RequestOutcome): OutcomeSeries => {
      const key = outcomeKey(outcome);
      const known = made.get(key);
      if (known) return known;
      const code = made.size < MAX_OUTCOMES ? undefined : responseCodeClass(outcome.status);
      const series = this.#series({ ...labels, ...httpOutcomeLabels(outcome, code) });
      if (code === undefined) made.set(key, series);
      return series;
    };
    return {
      ended: (outcome, { durationMs, requestBytes, responseBytes }) => {
        const series = seriesOf(outcome);
        series.total.add(1);
        series.duration.observe(durationMs);
        series.requestBytes.observe(requestBytes);
        series.responseBytes.observe(responseBytes);
      },
    };
  }

  #series(labels: Labels): OutcomeSeries {
    return {
      total: this.#counters.counter("istio_requests_total", labels),
      duration: this.#counters.histogram("istio_request_duration_milliseconds", labels),
      requestBytes: this.#counters.histogram("istio_request_bytes", labels),
      responseBytes: this.#counters.histogram("istio_response_bytes", labels),
    };
  }
}

const GRPC_STATUSES = 18;

/** One number for each outcome. */
const outcomeKey = ({ status, grpcStatus, flag }: RequestOutcome): number =>
  (status * GRPC_STATUSES + (grpcStatus ?? GRPC_STATUSES - 1)) * HTTP_RESPONSE_FLAGS.length +
  HTTP_RESPONSE_FLAGS.indexOf(flag);
