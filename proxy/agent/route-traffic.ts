import type { RouteBackendKey, RouteTraffic } from "#mesh/admin/route-traffic.ts";
import { HISTOGRAM_BOUNDS } from "../channel/worker-metrics.ts";
import type { Labels } from "../channel/worker-report.ts";
import type { Agent } from "./agent.ts";

/** What workers counted for the rules of routes; what they could not tell apart is left out. */
export const routeTraffic = ({ counters, histograms }: Pick<Agent, "counters" | "histograms">): RouteTraffic => ({
  bounds: HISTOGRAM_BOUNDS,
  requests: Array.from(counters.totals())
    .filter(({ metric, labels }) => metric === "heddle_route_requests_total" && isOfRoute(labels))
    .map(({ labels, total }) => ({
      ...keyOf(labels),
      codeClass: labels.response_code_class ?? "",
      grpcStatus: labels.grpc_response_status ?? "",
      total,
    })),
  durations: Array.from(histograms.all())
    .filter(({ metric, labels }) => metric === "heddle_route_request_duration_milliseconds" && isOfRoute(labels))
    .map(({ labels, counts, sum }) => ({ ...keyOf(labels), counts, sum })),
});

const isOfRoute = ({ route_name: name }: Labels): boolean => name !== undefined;

const keyOf = (labels: Labels): RouteBackendKey => ({
  route: `${labels.route_namespace}/${labels.route_name}`,
  rule: labels.route_rule ?? "",
  backend: labels.backend_service ? `${labels.backend_service}:${labels.backend_port}` : "",
});
