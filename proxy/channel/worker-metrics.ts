/**
 * The counters that workers keep, with what they mean. The set is closed: a worker that was taken over can neither make the
 * agent keep series without end nor put words into another's metric.
 */
export const WORKER_METRICS = {
  istio_tcp_connections_opened_total: "Connections that were opened.",
  istio_tcp_connections_closed_total: "Connections that were opened and have ended.",
  istio_tcp_connections_failed_total: "Connections that were not opened.",
  istio_tcp_sent_bytes_total: "Bytes from server to client.",
  istio_tcp_received_bytes_total: "Bytes from client to server.",
  heddle_connections_refused_total: "Connections that were turned away or could not be served, by reason.",
  istio_requests_total: "Requests that have ended.",
  heddle_requests_started_total: "Requests whose head came.",
  heddle_requests_refused_total: "Requests that the mesh answered by itself or that broke off, by reason.",
  heddle_request_retries_total: "Attempts of requests beyond their first.",
  heddle_route_requests_total: "Requests by the rule of a route and the backend that they were for.",
} as const;

export type WorkerMetric = keyof typeof WORKER_METRICS;

export const isWorkerMetric = (name: unknown): name is WorkerMetric =>
  typeof name === "string" && Object.hasOwn(WORKER_METRICS, name);

/** The histograms that workers keep, closed as well. */
export const WORKER_HISTOGRAMS = {
  istio_request_duration_milliseconds: "How long requests took, from their head to the end of the answer.",
  istio_request_bytes: "Bytes of the content of requests.",
  istio_response_bytes: "Bytes of the content of responses.",
  heddle_route_request_duration_milliseconds: "The same duration by the rule of a route and the backend.",
} as const;

export type WorkerHistogram = keyof typeof WORKER_HISTOGRAMS;

export const isWorkerHistogram = (name: unknown): name is WorkerHistogram =>
  typeof name === "string" && Object.hasOwn(WORKER_HISTOGRAMS, name);

/** Upper bounds of all histograms, milliseconds or bytes: Envoy's, which Istio leaves as they are. One bucket more has no bound. */
export const HISTOGRAM_BOUNDS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];
