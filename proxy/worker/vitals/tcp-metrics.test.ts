import { expect, test } from "vitest";
import { exampleService, exampleWorkload, spiffe } from "#mesh/testing/examples.ts";
import type { Series } from "../../channel/worker-report.ts";
import { Counters } from "./counters.ts";
import { type ConnectionEnds, tcpLabels } from "./tcp-labels.ts";
import { TcpMetrics } from "./tcp-metrics.ts";

const NOBODY: ConnectionEnds = {
  reporter: "source",
  source: undefined,
  destination: undefined,
  service: undefined,
  sourcePrincipal: undefined,
  destinationPrincipal: undefined,
  isMutualTls: false,
};

const WEB = exampleWorkload({
  owner: { kind: "deployment", name: "web" },
  canonicalName: "shop-web",
  canonicalRevision: "v2",
  locality: { region: "eu", zone: "eu-1", subzone: "a" },
});

const ENDS: ConnectionEnds = {
  reporter: "destination",
  source: exampleWorkload({ name: "cart-1", namespace: "carts", owner: { kind: "job", name: "cart" } }),
  destination: WEB,
  service: exampleService(),
  sourcePrincipal: spiffe("spiffe://cluster.local/ns/carts/sa/cart"),
  destinationPrincipal: spiffe("spiffe://cluster.local/ns/shop/sa/web"),
  isMutualTls: true,
};

test("the labels are Istio's, and name owners, not pods", () => {
  expect(tcpLabels(ENDS)).toEqual({
    reporter: "destination",
    source_workload: "cart",
    source_workload_namespace: "carts",
    source_canonical_service: "web",
    source_canonical_revision: "latest",
    source_principal: "spiffe://cluster.local/ns/carts/sa/cart",
    source_app: "web",
    source_version: "latest",
    source_cluster: "Kubernetes",
    source_region: "unknown",
    source_zone: "unknown",
    destination_workload: "web",
    destination_workload_namespace: "shop",
    destination_canonical_service: "shop-web",
    destination_canonical_revision: "v2",
    destination_principal: "spiffe://cluster.local/ns/shop/sa/web",
    destination_app: "shop-web",
    destination_version: "v2",
    destination_cluster: "Kubernetes",
    destination_region: "eu",
    destination_zone: "eu-1",
    destination_service: "web.shop.svc.cluster.local",
    destination_service_name: "web",
    destination_service_namespace: "shop",
    request_protocol: "tcp",
    connection_security_policy: "mutual_tls",
  });
});

test("what is not known is unknown, but a revision is latest; plaintext is none", () => {
  const { reporter, request_protocol, connection_security_policy, ...labels } = tcpLabels(NOBODY);
  expect([reporter, request_protocol, connection_security_policy]).toEqual(["source", "tcp", "none"]);
  for (const [name, label] of Object.entries(labels)) {
    expect([name, label]).toEqual([name, name.endsWith("_canonical_revision") ? "latest" : "unknown"]);
  }
});

test("every series has the same labels in the same order", () => {
  expect(Object.keys(tcpLabels(NOBODY))).toEqual(Object.keys(tcpLabels(ENDS)));
});

test.each<[string, Partial<ConnectionEnds>]>([
  ["reporter", { reporter: "source" }],
  ["source", { source: undefined }],
  ["destination", { destination: exampleWorkload({ name: "web-1" }) }],
  ["service", { service: undefined }],
  ["source's principal", { sourcePrincipal: undefined }],
  ["destination's principal", { destinationPrincipal: undefined }],
  ["protection", { isMutualTls: false }],
  [
    "record of the destination, replaced by one with the same name",
    { destination: { ...WEB, canonicalRevision: "v3" } },
  ],
])("connections that differ in the %s are counted apart", (_, changes) => {
  const metrics = new TcpMetrics(new Counters());
  expect(metrics.of({ ...ENDS, ...changes })).not.toBe(metrics.of(ENDS));
});

test("connections between the same ends share their counters", () => {
  const metrics = new TcpMetrics(new Counters());
  expect(metrics.of({ ...ENDS })).toBe(metrics.of(ENDS));
  expect(metrics.of(ENDS).opened()).toBe(metrics.of(ENDS).opened());
});

const seriesOf = (counters: Counters): readonly Series[] =>
  counters.takeReports().flatMap((report) => (report.kind === "counters" ? report.series : []));

test("a series begins when something is counted in it, with its flag", () => {
  const counters = new Counters();
  const made = new TcpMetrics(counters).of(ENDS);
  expect(seriesOf(counters)).toEqual([]);
  made.opened();
  made.received();
  made.sent();
  made.closed("-");
  made.closed("CONNECT");
  made.failed("DENY");
  expect(seriesOf(counters).map(({ metric, labels }) => [metric, labels.response_flags])).toEqual([
    ["istio_tcp_connections_opened_total", "-"],
    ["istio_tcp_received_bytes_total", "-"],
    ["istio_tcp_sent_bytes_total", "-"],
    ["istio_tcp_connections_closed_total", "-"],
    ["istio_tcp_connections_closed_total", "CONNECT"],
    ["istio_tcp_connections_failed_total", "DENY"],
  ]);
});

test("a refusal is counted by direction and reason", () => {
  const counters = new Counters();
  const metrics = new TcpMetrics(counters);
  metrics.refused("inbound", "policy-denied");
  metrics.refused("inbound", "policy-denied");
  expect(counters.takeReports()).toEqual([
    {
      kind: "counters",
      series: [
        {
          id: 0,
          metric: "heddle_connections_refused_total",
          labels: { direction: "inbound", reason: "policy-denied" },
        },
      ],
      totals: [[0, 2]],
    },
  ]);
});

test("more ends than are kept at hand are counted in the same series when they come again", () => {
  const counters = new Counters();
  const metrics = new TcpMetrics(counters);
  const first = metrics.of(ENDS).opened();
  for (let other = 0; other < 5_000; other++)
    metrics.of({ ...ENDS, destination: exampleWorkload({ name: `web-${other}` }) });
  expect(metrics.of(ENDS).opened()).toBe(first);
});
