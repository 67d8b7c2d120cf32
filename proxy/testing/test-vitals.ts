import type { Flow } from "../channel/worker-report.ts";
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

/** For tests: the lines that wait, as they cross to the agent. They wait no more. */
export const takeLines = (flows: FlowLog): readonly Flow[] =>
  flows
    .takeReports()
    .flatMap((report) =>
      report.kind === "flows" ? (JSON.parse(JSON.stringify(report.flows)) as readonly Flow[]) : [],
    );
