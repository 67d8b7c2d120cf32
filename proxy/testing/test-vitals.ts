import type { Vitals } from "../worker/vitals/connection-record.ts";
import type { Counters } from "../worker/vitals/counters.ts";
import type { FlowLog } from "../worker/vitals/flow-log.ts";
import { RequestMetrics } from "../worker/vitals/request-metrics.ts";
import { RouteMetrics } from "../worker/vitals/route-metrics.ts";
import { TcpMetrics } from "../worker/vitals/tcp-metrics.ts";

/** For tests: vitals that can be read where they are counted. */
export const testVitals = (counters: Counters, flows: FlowLog, now: () => number): Vitals => ({
  metrics: new TcpMetrics(counters),
  requests: new RequestMetrics(counters),
  routes: new RouteMetrics(counters),
  flows,
  now,
});
