import { expect, test } from "vitest";
import type { MatchedRule } from "#mesh/routes/decide-http-route.ts";
import { Counters } from "./counters.ts";
import type { RequestOutcome } from "./http-labels.ts";
import { type RouteBackend, RouteMetrics } from "./route-metrics.ts";

const RULE: MatchedRule = {
  route: { namespace: "shop", name: "canary" },
  ruleIndex: 0,
  ruleName: undefined,
  matchIndex: 0,
};
const BACKEND: RouteBackend = { service: "shop/web.shop.svc.cluster.local", port: 80 };
const OK: RequestOutcome = { status: 200, grpcStatus: undefined, flag: "-" };

/** How many series of each sort there are, and the totals of the counters. */
const told = (counters: Counters) => {
  const reports = counters.takeReports();
  const totals = reports.flatMap((report) => (report.kind === "counters" ? report.totals : []));
  const histograms = reports.flatMap((report) => (report.kind === "histograms" ? report.readings : []));
  return { totals: totals.map(([, total]) => total), histograms: histograms.length };
};

test("requests of the same rule to the same backend that end alike count together, whichever match held them", () => {
  const counters = new Counters();
  const metrics = new RouteMetrics(counters);
  metrics.ended(RULE, BACKEND, OK, 1);
  metrics.ended({ ...RULE, matchIndex: 3 }, { ...BACKEND }, { ...OK, status: 204, flag: "DC" }, 1);
  expect(told(counters)).toEqual({ totals: [2], histograms: 1 });
});

test.each<[string, MatchedRule, RouteBackend | undefined]>([
  ["namespace", { ...RULE, route: { ...RULE.route, namespace: "other" } }, BACKEND],
  ["route", { ...RULE, route: { ...RULE.route, name: "other" } }, BACKEND],
  ["rule", { ...RULE, ruleIndex: 1 }, BACKEND],
  ["name of the rule", { ...RULE, ruleName: "named" }, BACKEND],
  ["backend", RULE, { ...BACKEND, service: "shop/other" }],
  ["port of the backend", RULE, { ...BACKEND, port: 81 }],
  ["having no backend", RULE, undefined],
])("requests that differ in the %s count apart, in time as well", (_, rule, backend) => {
  const counters = new Counters();
  const metrics = new RouteMetrics(counters);
  metrics.ended(RULE, BACKEND, OK, 1);
  metrics.ended(rule, backend, OK, 1);
  expect(told(counters)).toEqual({ totals: [1, 1], histograms: 2 });
});

test.each<[string, RequestOutcome]>([
  ["class", { ...OK, status: 500 }],
  ["status of gRPC", { ...OK, grpcStatus: 0 }],
])("requests that end in another %s count apart, and their time together", (_, outcome) => {
  const counters = new Counters();
  const metrics = new RouteMetrics(counters);
  metrics.ended(RULE, BACKEND, OK, 1);
  metrics.ended(RULE, BACKEND, outcome, 1);
  expect(told(counters)).toEqual({ totals: [1, 1], histograms: 1 });
});
