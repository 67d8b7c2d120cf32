import type { WorkerMetric } from "../../channel/worker-metrics.ts";
import type { Counter, Counters } from "./counters.ts";
import { type ConnectionEnds, endsKey, tcpLabels } from "./tcp-labels.ts";

/** Envoy's short words for how a connection failed, as ztunnel uses them; `-`: it did not. */
export type ResponseFlag =
  | "-"
  | "DENY"
  | "CONNECT"
  | "TLS_FAILURE"
  | "H2_HANDSHAKE_FAILURE"
  | "NETWORK_POLICY"
  | "IDENTITY_ERROR";

/** What is counted for connections between the same two ends. A series begins when something is counted in it. */
export interface ConnectionCounters {
  opened(): Counter;
  /** Request direction: from client to server, whoever reports (Istio's meaning). */
  received(): Counter;
  /** Response direction. */
  sent(): Counter;
  closed(flag: ResponseFlag): Counter;
  failed(flag: ResponseFlag): Counter;
}

/** Sets that are kept at hand; all of them live on in the counters. */
const MAX_CACHED = 4_096;

/** Istio's TCP metrics. */
export class TcpMetrics {
  readonly #counters: Counters;
  readonly #cache = new Map<string, ConnectionCounters>();

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  of(ends: ConnectionEnds): ConnectionCounters {
    const key = endsKey(ends);
    const cached = this.#cache.get(key);
    if (cached) return cached;
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
    const made = this.#make(ends);
    this.#cache.set(key, made);
    return made;
  }

  /** A connection was turned away before, or instead of, being served; `reason` is one of our own words. */
  refused(direction: "inbound" | "outbound", reason: string): void {
    this.#counters.counter("heddle_connections_refused_total", { direction, reason }).add(1);
  }

  #make(ends: ConnectionEnds): ConnectionCounters {
    const labels = tcpLabels(ends);
    const made = new Map<string, Counter>();
    const counter = (metric: WorkerMetric, flag: ResponseFlag): Counter => {
      const key = metric + flag;
      const known = made.get(key) ?? this.#counters.counter(metric, { ...labels, response_flags: flag });
      made.set(key, known);
      return known;
    };
    return {
      opened: () => counter("istio_tcp_connections_opened_total", "-"),
      received: () => counter("istio_tcp_received_bytes_total", "-"),
      sent: () => counter("istio_tcp_sent_bytes_total", "-"),
      closed: (flag) => counter("istio_tcp_connections_closed_total", flag),
      failed: (flag) => counter("istio_tcp_connections_failed_total", flag),
    };
  }
}
