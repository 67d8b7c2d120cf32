import * as fc from "fast-check";
import { expect, test } from "vitest";
import { exampleService, exampleWorkload, ip, spiffe } from "#mesh/testing/examples.ts";
import type { Flow } from "../../channel/worker-report.ts";
import { ConnectionRecord, type ConnectionStart } from "./connection-record.ts";
import { Counters } from "./counters.ts";
import { FlowLog } from "./flow-log.ts";
import { takeLines, testVitals } from "../../testing/test-vitals.ts";

const START: ConnectionStart = {
  direction: "outbound",
  traceId: "0af7651916cd43dd8448eb211c80319c",
  source: { address: ip("10.244.1.10"), port: 40_000 },
  destination: { address: ip("10.96.0.10"), port: 80 },
};

/** A record, and what has been told of it. */
const recorded = (changes: Partial<ConnectionStart> = {}) => {
  const time = { now: 1_000 };
  const [counters, flows] = [new Counters(), new FlowLog()];
  const record = new ConnectionRecord(
    testVitals(counters, flows, () => time.now),
    { ...START, ...changes },
  );
  const lines = (): readonly Flow[] => takeLines(flows);
  /** `metric flags-or-reason` with its total, where there is one. */
  const totals = (): Readonly<Record<string, number>> => {
    counters.startOver();
    const reports = counters.takeReports().filter((report) => report.kind === "counters");
    const names = new Map(
      reports.flatMap(({ series }) =>
        series.map(({ id, metric, labels }) => [id, `${metric} ${labels.response_flags ?? labels.reason}`] as const),
      ),
    );
    const sums = reports.flatMap((report) => report.totals).filter(([, total]) => total > 0);
    return Object.fromEntries(sums.map(([id, total]) => [names.get(id), total]));
  };
  return { record, time, lines, totals, counters };
};

const ENDS = {
  source: exampleWorkload({ name: "cart-1", serviceAccount: "cart" }),
  destination: exampleWorkload(),
  service: exampleService(),
  sourcePrincipal: spiffe("spiffe://cluster.local/ns/shop/sa/cart"),
  destinationPrincipal: spiffe("spiffe://cluster.local/ns/shop/sa/web"),
  isMutualTls: true,
};

test("a connection that is opened and ends is told twice, and counted when it begins and when it ends", () => {
  const { record, time, lines, totals } = recorded();
  record.between(ENDS);
  time.now += 5;
  record.open();
  expect(lines()).toEqual([
    {
      event: "opened",
      direction: "outbound",
      trace_id: START.traceId,
      duration_ms: 5,
      "src.addr": "10.244.1.10:40000",
      "src.workload": "cart-1",
      "src.namespace": "shop",
      "src.identity": ENDS.sourcePrincipal,
      "dst.addr": "10.96.0.10:80",
      "dst.workload": "web-0",
      "dst.namespace": "shop",
      "dst.identity": ENDS.destinationPrincipal,
      "dst.service": "web.shop.svc.cluster.local",
      connection_security_policy: "mutual_tls",
    },
  ]);
  expect(totals()).toEqual({ "istio_tcp_connections_opened_total -": 1 });
  time.now += 95;
  record.moved("request", 7);
  record.moved("response", 11);
  record.close("-");
  expect(lines()).toMatchObject([{ event: "closed", duration_ms: 100, bytes_sent: 7, bytes_recv: 11 }]);
  expect(totals()).toEqual({
    "istio_tcp_connections_opened_total -": 1,
    "istio_tcp_connections_closed_total -": 1,
    "istio_tcp_received_bytes_total -": 7,
    "istio_tcp_sent_bytes_total -": 11,
  });
});

test("bytes count in a metric before the connection has ended", () => {
  const { record, totals } = recorded();
  record.open();
  record.moved("request", 7);
  expect(totals()).toMatchObject({ "istio_tcp_received_bytes_total -": 7 });
});

/** Metrics: sent is the response, whoever reports. A log line: what its own side sent (istio/istio#32399). */
test.each([
  ["outbound", 7, 11],
  ["inbound", 11, 7],
] as const)(
  "a line of the %s side says what its own workload sent, and metrics do not turn",
  (direction, sent, received) => {
    const { record, lines, totals } = recorded({ direction });
    record.open();
    record.moved("request", 7);
    record.moved("response", 11);
    record.close("-");
    expect(lines().at(-1)).toMatchObject({ direction, bytes_sent: sent, bytes_recv: received });
    expect(totals()).toMatchObject({ "istio_tcp_received_bytes_total -": 7, "istio_tcp_sent_bytes_total -": 11 });
  },
);

test("a connection that is never served is told and counted once, with the reason", () => {
  const { record, lines, totals } = recorded();
  record.fail("DENY", "policy-denied", "shop/deny denies it");
  expect(lines()).toMatchObject([
    { event: "failed", response_flags: "DENY", reason: "policy-denied", error: "shop/deny denies it" },
  ]);
  expect(totals()).toEqual({
    "istio_tcp_connections_failed_total DENY": 1,
    "heddle_connections_refused_total policy-denied": 1,
  });
});

test("a connection that did not simply end says why in its line, and its flag in the metric", () => {
  const { record, lines, totals } = recorded();
  record.open();
  record.close("CONNECT", { reason: "reset-by-server", message: "ECONNRESET" });
  expect(lines().at(-1)).toMatchObject({ event: "closed", reason: "reset-by-server", error: "ECONNRESET" });
  expect(totals()).toMatchObject({ "istio_tcp_connections_closed_total CONNECT": 1 });
});

/** What may be called, in any order. */
const STEPS = {
  open: (record: ConnectionRecord) => record.open(),
  fail: (record: ConnectionRecord) => record.fail("CONNECT", "connect-failed", "m"),
  close: (record: ConnectionRecord) => record.close("-"),
  between: (record: ConnectionRecord) => record.between(ENDS),
  moved: (record: ConnectionRecord) => record.moved("request", 1),
} as const;

test("in every order it is opened at most once and ended exactly once, by the first call that may", () => {
  const step = fc.constantFrom(...(Object.keys(STEPS) as (keyof typeof STEPS)[]));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const { record, lines, totals } = recorded();
      for (const name of steps) STEPS[name](record);
      const first = steps.find((name) => name === "open" || name === "fail");
      const isClosed = first === "open" && steps.indexOf("close", steps.indexOf("open")) >= 0;
      const expected =
        first === undefined ? [] : first === "fail" ? ["failed"] : isClosed ? ["opened", "closed"] : ["opened"];
      expect(lines().map(({ event }) => event)).toEqual(expected);
      const counted = totals();
      expect(counted["istio_tcp_connections_opened_total -"] ?? 0).toBe(first === "open" ? 1 : 0);
      expect(counted["istio_tcp_connections_failed_total CONNECT"] ?? 0).toBe(first === "fail" ? 1 : 0);
      expect(counted["istio_tcp_connections_closed_total -"] ?? 0).toBe(isClosed ? 1 : 0);
    }),
  );
});

test("what is noted stands in every later line; a later endpoint takes the place of an earlier one", () => {
  const { record, lines } = recorded();
  record.note({ policy: "shop/allow" });
  record.noteEndpoint({ "dst.endpoint": "10.0.0.1:80", plaintext_reason: "peer-not-in-mesh" });
  record.noteEndpoint({ "dst.hbone_addr": "10.0.0.2:80" });
  record.open();
  record.note({ "pod.name": "web-0" });
  record.close("-");
  const [opened, closed] = lines();
  expect(opened).toMatchObject({ policy: "shop/allow", "dst.hbone_addr": "10.0.0.2:80" });
  expect(opened).not.toHaveProperty(["dst.endpoint"]);
  expect(opened).not.toHaveProperty("plaintext_reason");
  expect(closed).toMatchObject({ policy: "shop/allow", "pod.name": "web-0", "dst.hbone_addr": "10.0.0.2:80" });
});

test("what is not known is left out", () => {
  const { record, lines } = recorded({ source: undefined, destination: undefined });
  record.open();
  expect(Object.keys(lines()[0] ?? {})).toEqual([
    "event",
    "direction",
    "trace_id",
    "duration_ms",
    "connection_security_policy",
  ]);
});

test("what is learnt of the ends after it was opened does not move it into another series", () => {
  const { record, counters } = recorded();
  record.open();
  record.between(ENDS);
  record.close("-");
  const series = counters.takeReports().flatMap((report) => (report.kind === "counters" ? report.series : []));
  const labels = new Set(series.map((each) => JSON.stringify(each.labels)));
  expect(series.map(({ metric }) => metric)).toContain("istio_tcp_connections_closed_total");
  expect([...labels]).toEqual([expect.stringContaining('"destination_workload":"unknown"')]);
});
