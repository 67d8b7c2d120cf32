import { expect, test } from "vitest";
import type { MatchedRule } from "#mesh/routes/decide-http-route.ts";
import { exampleService, exampleWorkload, ip, spiffe } from "#mesh/testing/examples.ts";
import type { Flow, Labels } from "../../channel/worker-report.ts";
import { testVitals } from "../../testing/test-vitals.ts";
import { Counters } from "./counters.ts";
import { FlowLog } from "./flow-log.ts";
import { RequestRecord, type RequestStart } from "./request-record.ts";

const START: RequestStart = {
  direction: "outbound",
  traceId: "0af7651916cd43dd8448eb211c80319c",
  requestId: "5f0c6d8e-0000-4000-8000-000000000000",
  source: { address: ip("10.244.1.10"), port: 40_000 },
  destination: { address: ip("10.96.0.10"), port: 80 },
  method: "GET",
  authority: "web.shop",
  path: "/cart/1?token=secret#part",
  protocol: "HTTP/1.1",
  isGrpc: false,
};

const ENDS = {
  source: exampleWorkload({ name: "cart-1", serviceAccount: "cart" }),
  destination: exampleWorkload(),
  service: exampleService(),
  sourcePrincipal: spiffe("spiffe://cluster.local/ns/shop/sa/cart"),
  destinationPrincipal: spiffe("spiffe://cluster.local/ns/shop/sa/web"),
  isMutualTls: true,
};

const RULE: MatchedRule = {
  route: { namespace: "shop", name: "canary" },
  ruleIndex: 1,
  ruleName: undefined,
  matchIndex: 0,
};
const BACKEND = { service: "shop/web-v2.shop.svc.cluster.local", port: 8080 } as const;

/** A record, and what has been told of it. */
const recorded = (changes: Partial<RequestStart> = {}) => {
  const time = { now: 1_000 };
  const [counters, flows] = [new Counters(), new FlowLog()];
  const record = new RequestRecord(
    testVitals(counters, flows, () => time.now),
    { ...START, ...changes },
  );
  const lines = (): readonly Flow[] =>
    flows.takeReports().flatMap((report) => (report.kind === "flows" ? report.flows : []));
  /** Every series of a metric in which something was counted. */
  const counted = (metric: string): readonly (readonly [Labels, number])[] => {
    counters.startOver();
    const reports = counters.takeReports().filter((report) => report.kind === "counters");
    const totals = new Map(reports.flatMap((report) => report.totals));
    const series = reports.flatMap((report) => report.series).filter((each) => each.metric === metric);
    return series.flatMap(({ id, labels }) => {
      const total = totals.get(id) ?? 0;
      return total > 0 ? [[labels, total] as const] : [];
    });
  };
  return { record, time, lines, counted };
};

test("a request is told once, when it has ended, with all that is known of it and without its query", () => {
  const { record, time, lines } = recorded();
  record.between(ENDS);
  record.noteRoute(RULE, BACKEND);
  record.noteEndpoint({ "dst.hbone_addr": "10.244.1.10:8080" });
  record.note({ policy: "shop/allow" });
  record.noteAttempt();
  record.moved("request", 7);
  record.moved("response", 5);
  record.moved("response", 6);
  record.responded(200);
  expect(lines()).toEqual([]);
  time.now += 99.6;
  record.close("-");
  expect(lines()).toEqual([
    {
      event: "request",
      direction: "outbound",
      trace_id: START.traceId,
      request_id: START.requestId,
      duration_ms: 100,
      method: "GET",
      authority: "web.shop",
      path: "/cart/1",
      protocol: "HTTP/1.1",
      response_code: 200,
      response_flags: "-",
      bytes_sent: 7,
      bytes_recv: 11,
      "src.addr": "10.244.1.10:40000",
      "src.workload": "cart-1",
      "src.namespace": "shop",
      "src.identity": ENDS.sourcePrincipal,
      "dst.addr": "10.96.0.10:80",
      "dst.workload": "web-0",
      "dst.namespace": "shop",
      "dst.identity": ENDS.destinationPrincipal,
      "dst.service": "web.shop.svc.cluster.local",
      "dst.hbone_addr": "10.244.1.10:8080",
      connection_security_policy: "mutual_tls",
      policy: "shop/allow",
      route: "shop/canary",
      route_rule: "1",
      backend: "web-v2.shop.svc.cluster.local:8080",
      attempts: 1,
    },
  ]);
});

test("a request is counted once, with Istio's labels", () => {
  const { record, counted } = recorded();
  record.between(ENDS);
  record.responded(503);
  record.close("UC", { reason: "reset-by-server", message: "ECONNRESET" });
  expect(counted("istio_requests_total")).toEqual([
    [
      {
        reporter: "source",
        source_workload: "cart-1",
        source_workload_namespace: "shop",
        source_canonical_service: "web",
        source_canonical_revision: "latest",
        source_principal: ENDS.sourcePrincipal,
        source_app: "web",
        source_version: "latest",
        source_cluster: "Kubernetes",
        destination_workload: "web-0",
        destination_workload_namespace: "shop",
        destination_canonical_service: "web",
        destination_canonical_revision: "latest",
        destination_principal: ENDS.destinationPrincipal,
        destination_app: "web",
        destination_version: "latest",
        destination_cluster: "Kubernetes",
        destination_service: "web.shop.svc.cluster.local",
        destination_service_name: "web",
        destination_service_namespace: "shop",
        connection_security_policy: "mutual_tls",
        request_protocol: "http",
        response_code: "503",
        grpc_response_status: "",
        response_flags: "UC",
      },
      1,
    ],
  ]);
});
