import { RESOURCE_TYPES } from "./resource-store.ts";
import type { Agent } from "./agent.ts";
import type { MetricFamily, ScalarFamily } from "./exposition.ts";
import { HISTOGRAM_BOUNDS, WORKER_HISTOGRAMS, WORKER_METRICS } from "../channel/worker-metrics.ts";
import { VERSION } from "../version.ts";

/** Everything that :15020 says, in the order of the names. */
export const nodeMetrics = (agent: Agent): readonly MetricFamily[] =>
  [...workerMetrics(agent), ...workerHistograms(agent), ...agentMetrics(agent)].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );

const workerMetrics = (agent: Agent): MetricFamily[] =>
  Array.from(
    Map.groupBy(agent.counters.totals(), ({ metric }) => metric),
    ([name, series]) => ({
      name,
      type: "counter" as const,
      help: WORKER_METRICS[name],
      samples: series.map(({ labels, total }) => ({ labels, value: total })),
    }),
  );

const workerHistograms = (agent: Agent): MetricFamily[] =>
  Array.from(
    Map.groupBy(agent.histograms.all(), ({ metric }) => metric),
    ([name, samples]) => ({
      name,
      type: "histogram" as const,
      help: WORKER_HISTOGRAMS[name],
      bounds: HISTOGRAM_BOUNDS,
      samples,
    }),
  );

const agentMetrics = (agent: Agent): MetricFamily[] => {
  const { controlPlane, store, pods, workers } = agent;
  const typeUrls = new Map(Array.from(RESOURCE_TYPES, ([url, kind]) => [kind as string, url]));
  const one = (name: string, type: ScalarFamily["type"], help: string, value: number): MetricFamily => ({
    name,
    type,
    help,
    samples: [{ labels: {}, value }],
  });
  return [
    {
      name: "istio_build",
      type: "gauge",
      help: "The version of the proxy.",
      samples: [{ labels: { component: "heddle", tag: VERSION }, value: 1 }],
    },
    {
      name: "istio_xds_message_total",
      type: "counter",
      help: "Responses of the control plane.",
      samples: Array.from(controlPlane.messages, ([kind, value]) => ({
        labels: { url: typeUrls.get(kind) ?? kind },
        value,
      })),
    },
    one("istio_xds_connection_terminations_total", "counter", "Ends of the control stream.", controlPlane.terminations),
    one("workload_manager_active_proxy_count", "gauge", "Pods that are enrolled on this node.", pods.all.length),
    one(
      "heddle_control_plane_connected",
      "gauge",
      "1 while the control stream is up.",
      Number(controlPlane.isConnected),
    ),
    one("heddle_config_generation", "gauge", "Transactions received.", store.generation),
    one("heddle_config_enforced_generation", "gauge", "The last that every worker applies.", agent.enforcedGeneration),
    one("heddle_worker_restarts_total", "counter", "Workers started anew.", agent.workerRestarts),
    one(
      "heddle_worker_lost_connections_total",
      "counter",
      "Connections that ended with a worker.",
      agent.lostConnections,
    ),
    one("heddle_worker_lost_requests_total", "counter", "Requests that ended with a worker.", agent.lostRequests),
    one(
      "heddle_certificate_failures_total",
      "counter",
      "Requests for certificates that failed, and answers that were refused.",
      agent.certificateFailures,
    ),
    one("heddle_access_log_dropped_total", "counter", "Access log lines left out.", agent.accessLog.dropped),
    {
      name: "heddle_worker_open_connections",
      type: "gauge",
      help: "Connections that are open.",
      samples: workers.map(({ life }) => ({
        labels: { worker: String(life.index) },
        value: agent.counters.openConnections(life.startId),
      })),
    },
    {
      name: "heddle_worker_requests_in_flight",
      type: "gauge",
      help: "Requests that have begun and not ended.",
      samples: workers.map(({ life }) => ({
        labels: { worker: String(life.index) },
        value: agent.counters.requestsInFlight(life.startId),
      })),
    },
    {
      name: "heddle_certificate_expiration_timestamp_seconds",
      type: "gauge",
      help: "When the certificate of an identity ends.",
      samples: agent.certificates.status.flatMap(({ identity, worker, notAfter }) =>
        notAfter === undefined
          ? []
          : [{ labels: { identity, worker: String(worker) }, value: Date.parse(notAfter) / 1000 }],
      ),
    },
  ];
};
