import { expect, test } from "vitest";
import { HISTOGRAM_BOUNDS } from "../channel/worker-metrics.ts";
import { MergedHistograms } from "./histograms.ts";
import { MergedCounters } from "./metrics.ts";
import { routeTraffic } from "./route-traffic.ts";

const OF_RULE = { route_namespace: "shop", route_name: "split", route_rule: "beta" };
const TO_V1 = { ...OF_RULE, backend_service: "shop/v1.shop.svc.cluster.local", backend_port: "80" };
const ITSELF = { ...OF_RULE, backend_service: "", backend_port: "" };

test("what workers counted for rules is told by rule and backend, and nothing else", () => {
  const [counters, histograms] = [new MergedCounters(), new MergedHistograms()];
  const outcome = { response_code_class: "2xx", grpc_response_status: "0" };
  counters.report(
    "worker-0",
    [
      { id: 1, metric: "heddle_route_requests_total", labels: { ...TO_V1, ...outcome } },
      { id: 2, metric: "heddle_route_requests_total", labels: { ...ITSELF, response_code_class: "5xx" } },
      { id: 3, metric: "heddle_route_requests_total", labels: { overflow: "true" } },
      { id: 4, metric: "istio_requests_total", labels: TO_V1 },
    ],
    [
      [1, 7],
      [2, 2],
      [3, 100],
      [4, 100],
    ],
  );
  const counts = [...HISTOGRAM_BOUNDS, Infinity].map((_, bucket) => bucket);
  histograms.report(
    "worker-0",
    [
      { id: 1, metric: "heddle_route_request_duration_milliseconds", labels: TO_V1 },
      { id: 2, metric: "istio_request_duration_milliseconds", labels: TO_V1 },
    ],
    [
      [1, 12.5, counts],
      [2, 100, counts],
    ],
  );
  const v1 = { route: "shop/split", rule: "beta", backend: "shop/v1.shop.svc.cluster.local:80" };
  expect(routeTraffic({ counters, histograms })).toEqual({
    bounds: HISTOGRAM_BOUNDS,
    requests: [
      { ...v1, codeClass: "2xx", grpcStatus: "0", total: 7 },
      { ...v1, backend: "", codeClass: "5xx", grpcStatus: "", total: 2 },
    ],
    durations: [{ ...v1, counts, sum: 12.5 }],
  });
});
