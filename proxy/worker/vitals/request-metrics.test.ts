import { expect, test } from "vitest";
import { exampleWorkload } from "#mesh/testing/examples.ts";
import type { Labels } from "../../channel/worker-report.ts";
import { Counters } from "./counters.ts";
import { unknownEnds } from "./flow-line.ts";
import type { RequestOutcome } from "./http-labels.ts";
import { MAX_OUTCOMES, RequestMetrics } from "./request-metrics.ts";

const NOTHING = { durationMs: 0, requestBytes: 0, responseBytes: 0 };
const ENDS = { ...unknownEnds("outbound"), destination: exampleWorkload() };
const OK: RequestOutcome = { status: 200, grpcStatus: undefined, flag: "-" };

const counting = () => {
  const counters = new Counters();
  const metrics = new RequestMetrics(counters);
  /** The series of requests that have ended, with their totals. */
  const totals = (): readonly (readonly [Labels, number])[] => {
    counters.startOver();
    const reports = counters.takeReports().filter((report) => report.kind === "counters");
    const counts = new Map(reports.flatMap((report) => report.totals));
    return reports
      .flatMap((report) => report.series)
      .filter(({ metric }) => metric === "istio_requests_total")
      .map(({ id, labels }) => [labels, counts.get(id) ?? 0]);
  };
  return { metrics, totals, counters };
};

test("Istio's labels for requests are these twenty-five, and what is not known is unknown, but a revision is latest", () => {
  const { metrics, totals } = counting();
  metrics.of(unknownEnds("outbound")).ended(OK, NOTHING);
  const ends = ["source", "destination"].map((end) => ({
    [`${end}_workload`]: "unknown",
    [`${end}_workload_namespace`]: "unknown",
    [`${end}_canonical_service`]: "unknown",
    [`${end}_canonical_revision`]: "latest",
    [`${end}_principal`]: "unknown",
    [`${end}_app`]: "unknown",
    [`${end}_version`]: "unknown",
    [`${end}_cluster`]: "unknown",
  }));
  const labels = {
    reporter: "source",
    ...ends[0],
    ...ends[1],
    destination_service: "unknown",
    destination_service_name: "unknown",
    destination_service_namespace: "unknown",
    request_protocol: "http",
    response_code: "200",
    grpc_response_status: "",
    response_flags: "-",
    connection_security_policy: "none",
  };
  expect(totals()).toEqual([[labels, 1]]);
  expect(Object.keys(labels)).toHaveLength(25);
});

test.each<[string, RequestOutcome]>([
  ["status", { ...OK, status: 201 }],
  ["flag", { ...OK, flag: "DC" }],
  ["protocol", { ...OK, grpcStatus: 0 }],
])("requests that end in another %s are counted apart, and those that end in the same way together", (_, other) => {
  const { metrics, totals } = counting();
  for (const outcome of [OK, other, other, OK, OK]) metrics.of(ENDS).ended(outcome, NOTHING);
  expect(totals().map(([, total]) => total)).toEqual([3, 2]);
});

test("no two outcomes share a series", () => {
  const { metrics, totals } = counting();
  const grpc = [undefined, 0, 1, 16];
  const outcomes = [0, 1, 200, 599].flatMap((status) =>
    grpc.flatMap((grpcStatus) => (["-", "OM"] as const).map((flag) => ({ status, grpcStatus, flag }))),
  );
  for (const outcome of outcomes) metrics.of(ENDS).ended(outcome, NOTHING);
  expect(totals()).toHaveLength(outcomes.length);
});

test("an application that answers with ever other statuses is counted by their class then, and takes no series from others", () => {
  const { metrics, totals } = counting();
  for (let status = 100; status < 600; status++) metrics.of(ENDS).ended({ ...OK, status }, NOTHING);
  expect(totals().reduce((sum, [, total]) => sum + total, 0)).toBe(500);
  const exact = totals().filter(([{ response_code }]) => /^\d{3}$/.test(response_code ?? ""));
  expect(exact).toHaveLength(MAX_OUTCOMES);
  const classes = totals().filter(([{ response_code }]) => /^\dxx$/.test(response_code ?? ""));
  expect(classes.map(([{ response_code }, total]) => [response_code, total])).toEqual([
    ["1xx", 100 - MAX_OUTCOMES],
    ["2xx", 100],
    ["3xx", 100],
    ["4xx", 100],
    ["5xx", 100],
  ]);
  metrics.of({ ...ENDS, destination: exampleWorkload({ name: "other" }) }).ended({ ...OK, status: 418 }, NOTHING);
  expect(totals().at(-1)?.[0].response_code).toBe("418");
});
