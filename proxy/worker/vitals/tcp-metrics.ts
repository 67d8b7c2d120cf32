import type { WorkerMetric } from "../../channel/worker-metrics.ts";
import type { Counter, Counters } from "./counters.ts";
import { EndsCache } from "./ends-cache.ts";
import { type ConnectionEnds, tcpLabels } from "./tcp-labels.ts";

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

/** Istio's TCP metrics. */
export class TcpMetrics {
  readonly #counters: Counters;
  readonly #cache: EndsCache<ConnectionCounters>;

  constructor(counters: Counters) {
    this.#counters = counters;
    this.#cache = new EndsCache((ends) => this.#make(ends));
  }

  of(ends: ConnectionEnds): ConnectionCounters {
    return this.#cache.get(ends);
  }

  /** A connection was turned away before, or instead of, being served; `reason` is one of our own words. */
  refused(direction: "inbound" | "outbound", reason: string): void {
    this.#counters.counter("heddle_connections_refused_total", { direction, reason }).add(1);
  }

  #make(ends: ConnectionEnds): ConnectionCounters {
    const labels = tcpLabels(ends);
    const seriesOf = (metric: WorkerMetric): ((flag: ResponseFlag) => Counter) => {
      const made: Partial<Record<ResponseFlag, Counter>> = {};
      return (flag) => (made[flag] ??= this.#counters.counter(metric, { ...labels, response_flags: flag }));
    };
    const opened = seriesOf("istio_tcp_connections_opened_total");
    const received = seriesOf("istio_tcp_received_bytes_total");
    const sent = seriesOf("istio_tcp_sent_bytes_total");
    return {
      opened: () => opened("-"),
      received: () => received("-"),
      sent: () => sent("-"),
      closed: seriesOf("istio_tcp_connections_closed_total"),
      failed: seriesOf("istio_tcp_connections_failed_total"),
    };
  }
}
