import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { MatchedRule } from "#mesh/routes/decide-http-route.ts";
import { fieldList } from "#mesh/testing/routes.ts";
import { exampleService, exampleWorkload, ip, spiffe } from "#mesh/testing/examples.ts";
import type { AccessLogMode } from "../../channel/access-log-mode.ts";
import type { Flow, Labels } from "../../channel/worker-report.ts";
import { takeLines, testVitals } from "../../testing/test-vitals.ts";
import { Counters } from "./counters.ts";
import { FlowLog } from "./flow-log.ts";
import { RequestRecord, type RequestStart } from "./request-record.ts";
import type { ConnectionEnds } from "./tcp-labels.ts";

const START: RequestStart = {
  direction: "outbound",
  requestId: "5f0c6d8e-0000-4000-8000-000000000000",
  fields: fieldList(["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]),
  source: { address: ip("10.244.1.10"), port: 40_000 },
  destination: { address: ip("10.96.0.10"), port: 80 },
  method: "GET",
  authority: "web.shop",
  path: "/cart/1?token=secret#part",
  protocol: "HTTP/1.1",
  isGrpc: false,
};

const ENDS: ConnectionEnds = {
  reporter: "source",
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
const recorded = (changes: Partial<RequestStart> = {}, mode: AccessLogMode = "all") => {
  const time = { now: 1_000 };
  const [counters, flows] = [new Counters(), new FlowLog(mode)];
  const record = new RequestRecord(
    testVitals(counters, flows, () => time.now),
    { ...START, ...changes },
  );
  const lines = (): readonly Flow[] => takeLines(flows);
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
  /** The sums of a histogram, and how many it observed. */
  const observed = (metric: string): readonly (readonly [Labels, number, number])[] => {
    counters.startOver();
    const reports = counters.takeReports().filter((report) => report.kind === "histograms");
    const readings = new Map(reports.flatMap((report) => report.readings).map((reading) => [reading[0], reading]));
    const series = reports.flatMap((report) => report.series).filter((each) => each.metric === metric);
    return series.map(({ id, labels }) => {
      const [, sum = 0, counts = []] = readings.get(id) ?? [];
      return [labels, sum, counts.reduce((all, count) => all + count, 0)];
    });
  };
  return { record, time, lines, counted, observed, flows };
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
      trace_id: "0af7651916cd43dd8448eb211c80319c",
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

test("its duration and the bytes of its content are measured, each direction by itself", () => {
  const { record, time, observed } = recorded();
  record.moved("request", 7);
  record.moved("response", 5);
  time.now += 12.25;
  record.moved("response", 6);
  record.responded(200);
  record.close("-");
  const labels = expect.objectContaining({ response_code: "200", response_flags: "-" }) as Labels;
  expect(observed("istio_request_duration_milliseconds")).toEqual([[labels, 12.25, 1]]);
  expect(observed("istio_request_bytes")).toEqual([[labels, 7, 1]]);
  expect(observed("istio_response_bytes")).toEqual([[labels, 11, 1]]);
});

/** Metrics: sent is the response, whoever reports. A log line: what its own side sent (istio/istio#32399). */
test.each([
  ["outbound", "source", 7, 11],
  ["inbound", "destination", 11, 7],
] as const)(
  "a line of the %s side says what its own workload sent, and metrics do not turn",
  (direction, reporter, sent, received) => {
    const { record, lines, counted, observed } = recorded({ direction });
    record.moved("request", 7);
    record.moved("response", 11);
    record.close("-");
    expect(lines()).toMatchObject([{ direction, bytes_sent: sent, bytes_recv: received }]);
    const labels = expect.objectContaining({ reporter }) as Labels;
    expect(observed("istio_request_bytes")).toEqual([[labels, 7, 1]]);
    expect(observed("istio_response_bytes")).toEqual([[labels, 11, 1]]);
    expect(counted("heddle_requests_started_total")).toEqual([[{ reporter }, 1]]);
  },
);

test("a request that never got a head has the status 0", () => {
  const { record, lines, counted } = recorded();
  record.close("DC", { reason: "reset-by-client", message: "the client went away" });
  expect(lines()).toMatchObject([
    { response_code: 0, response_flags: "DC", reason: "reset-by-client", error: "the client went away" },
  ]);
  expect(counted("istio_requests_total")).toMatchObject([[{ response_code: "0", response_flags: "DC" }, 1]]);
  expect(counted("heddle_requests_refused_total")).toEqual([[{ direction: "outbound", reason: "reset-by-client" }, 1]]);
});

test("gRPC is a protocol of its own, with the status that its client sees", () => {
  const { record, lines, counted } = recorded({ isGrpc: true, protocol: "HTTP/2" });
  record.responded(200);
  record.grpcStatus("5");
  record.close("-");
  expect(lines()).toMatchObject([{ protocol: "HTTP/2", response_code: 200, grpc_status: 5 }]);
  expect(counted("istio_requests_total")).toMatchObject([
    [{ request_protocol: "grpc", response_code: "200", grpc_response_status: "5" }, 1],
  ]);
});

test("what only calls itself a status of gRPC is none", () => {
  const { record, lines, counted } = recorded();
  record.responded(200);
  record.grpcStatus("5");
  record.close("-");
  expect(lines()[0]).not.toHaveProperty("grpc_status");
  expect(counted("istio_requests_total")).toMatchObject([[{ request_protocol: "http", grpc_response_status: "" }, 1]]);
});

test.each([
  [1, undefined],
  [2, 1],
  [3, 2],
])("of %i attempts %s are retries", (attempts, retries) => {
  const { record, lines, counted } = recorded();
  record.between(ENDS);
  for (let attempt = 0; attempt < attempts; attempt++) record.noteAttempt();
  record.close("-");
  expect(lines()).toMatchObject([{ attempts }]);
  const labels = { destination_service: "web.shop.svc.cluster.local" };
  expect(counted("heddle_request_retries_total")).toEqual(retries === undefined ? [] : [[labels, retries]]);
});

const ROUTE_LABELS = {
  route_namespace: "shop",
  route_name: "canary",
  route_rule: "1",
  backend_service: "shop/web-v2.shop.svc.cluster.local",
  backend_port: "8080",
};

test("the caller's side counts by the rule and its backend", () => {
  const { record, time, counted, observed } = recorded();
  record.noteRoute(RULE, BACKEND);
  time.now += 3;
  record.responded(404);
  record.close("-");
  expect(counted("heddle_route_requests_total")).toEqual([
    [{ ...ROUTE_LABELS, response_code_class: "4xx", grpc_response_status: "" }, 1],
  ]);
  expect(observed("heddle_route_request_duration_milliseconds")).toEqual([[ROUTE_LABELS, 3, 1]]);
});

test("a rule that answers by itself has no backend, and one that has a name is told by it", () => {
  const { record, lines, counted } = recorded();
  record.noteRoute({ ...RULE, ruleName: "old-links" }, undefined);
  record.responded(301);
  record.close("-");
  expect(lines()).toMatchObject([{ route: "shop/canary", route_rule: "old-links" }]);
  expect(lines()).not.toHaveProperty([0, "backend"]);
  expect(counted("heddle_route_requests_total")).toMatchObject([
    [{ route_rule: "old-links", backend_service: "", backend_port: "", response_code_class: "3xx" }, 1],
  ]);
});

test("a request that no rule holds, and one at the called side, count in no route", () => {
  const unrouted = recorded();
  unrouted.record.noteRoute(undefined, BACKEND);
  unrouted.record.close("-");
  const inbound = recorded({ direction: "inbound" });
  inbound.record.noteRoute(RULE, BACKEND);
  inbound.record.close("-");
  for (const { counted, observed } of [unrouted, inbound]) {
    expect(counted("heddle_route_requests_total")).toEqual([]);
    expect(observed("heddle_route_request_duration_milliseconds")).toEqual([]);
  }
});

test("what is not known is left out", () => {
  const { record, lines } = recorded({ source: undefined, destination: undefined });
  record.close("-");
  expect(Object.keys(lines()[0] ?? {}).toSorted()).toEqual([
    "authority",
    "bytes_recv",
    "bytes_sent",
    "connection_security_policy",
    "direction",
    "duration_ms",
    "event",
    "method",
    "path",
    "protocol",
    "request_id",
    "response_code",
    "response_flags",
    "trace_id",
  ]);
});

test.each([
  ["/a?token=secret", "/a"],
  ["/a#b?c", "/a"],
  ["/?", "/"],
  ["*", "*"],
  [`/${"x".repeat(300)}?q`, `/${"x".repeat(252)}...`],
])("of the path %s the line says %s", (path, told) => {
  const { record, lines } = recorded({ path });
  record.close("-");
  expect(lines()).toMatchObject([{ path: told }]);
});

test("what a client chose is short in a line, however long it was", () => {
  const long = "x".repeat(100_000);
  const { record, lines } = recorded({
    method: long,
    authority: long,
    path: long,
    requestId: long,
  });
  record.close("-");
  expect(JSON.stringify(lines()).length).toBeLessThan(1_500);
});

test("a line does not keep the head in memory that its texts were parts of", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const flows = new FlowLog();
  const vitals = testVitals(new Counters(), flows, () => 0);
  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heap();
  for (let request = 0; request < 500; request++) {
    const head = `/a/path/of/some/length/${request} ${"x".repeat(100)}`.padEnd(100_000, String(request));
    const flat = Buffer.from(head, "latin1").toString("latin1");
    const text = flat.slice(0, flat.indexOf(" "));
    const fields = fieldList(["traceparent", text], ["x-b3-traceid", flat.slice(-32)]);
    new RequestRecord(vitals, { ...START, path: text, authority: text, fields, requestId: text }).close("-");
  }
  expect(heap() - before).toBeLessThan(10_000_000);
  expect(takeLines(flows)).toHaveLength(500);
});

test.each([
  ["all", 2],
  ["failures", 1],
  ["off", 0],
] as const)("with the log set to %s, %i of two requests have a line, and both are counted", (mode, count) => {
  const fine = recorded({}, mode);
  fine.record.close("-");
  const failed = recorded({}, mode);
  failed.record.close("UH", { reason: "no-endpoint", message: "nobody is ready" });
  expect(fine.lines().length + failed.lines().length).toBe(count);
  expect([fine.counted("istio_requests_total").length, failed.counted("istio_requests_total").length]).toEqual([1, 1]);
});

/** What may be called, in any order. */
const STEPS = {
  close: (record: RequestRecord) => record.close("-"),
  fail: (record: RequestRecord) => record.close("UF", { reason: "connect-failed", message: "m" }),
  between: (record: RequestRecord) => record.between(ENDS),
  route: (record: RequestRecord) => record.noteRoute(RULE, BACKEND),
  attempt: (record: RequestRecord) => record.noteAttempt(),
  moved: (record: RequestRecord) => record.moved("response", 1),
  responded: (record: RequestRecord) => record.responded(200),
  grpc: (record: RequestRecord) => record.grpcStatus("0"),
} as const;

test("in every order it is started once and ended at most once, by the first call that may; what comes later changes nothing", () => {
  const step = fc.constantFrom(...(Object.keys(STEPS) as (keyof typeof STEPS)[]));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 10 }), (steps) => {
      const { record, lines, counted, observed } = recorded();
      for (const name of steps) STEPS[name](record);
      const end = steps.findIndex((name) => name === "close" || name === "fail");
      const before = steps.slice(0, Math.max(end, 0));
      const count = (name: keyof typeof STEPS): number => before.filter((each) => each === name).length;
      const total = (metric: string): number => counted(metric).reduce((sum, [, each]) => sum + each, 0);
      const once = end < 0 ? 0 : 1;
      expect(total("heddle_requests_started_total")).toBe(1);
      expect(total("istio_requests_total")).toBe(once);
      expect(total("heddle_requests_refused_total")).toBe(steps[end] === "fail" ? 1 : 0);
      expect(total("heddle_route_requests_total")).toBe(once && count("route") > 0 ? 1 : 0);
      expect(total("heddle_request_retries_total")).toBe(Math.max(0, count("attempt") - 1));
      expect(observed("istio_response_bytes").map(([, sum]) => sum)).toEqual(once ? [count("moved")] : []);
      const told = lines();
      expect(told).toHaveLength(once);
      if (once) expect(told[0]?.response_code).toBe(count("responded") > 0 ? 200 : 0);
    }),
  );
});
