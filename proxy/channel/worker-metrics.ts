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
} as const;

export type WorkerMetric = keyof typeof WORKER_METRICS;

export const isWorkerMetric = (name: unknown): name is WorkerMetric =>
  typeof name === "string" && Object.hasOwn(WORKER_METRICS, name);
