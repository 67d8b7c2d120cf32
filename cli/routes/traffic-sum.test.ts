import { array, assert, double, integer, property } from "fast-check";
import { expect, test } from "vitest";
import type { RouteTraffic } from "#mesh/admin/route-traffic.ts";
import { quantileOf, sumTraffic, trafficKey, trafficSince } from "./traffic-sum.ts";

const KEY = { route: "shop/split", rule: "0", backend: "shop/v1.shop.svc.cluster.local:80" };
const BOUNDS = [1, 5, 10];

const node = (
  ...requests: readonly (readonly [codeClass: string, grpcStatus: string, total: number])[]
): RouteTraffic => ({
  bounds: BOUNDS,
  requests: requests.map(([codeClass, grpcStatus, total]) => ({ ...KEY, codeClass, grpcStatus, total })),
  durations: [{ ...KEY, counts: [1, 2, 0, 1], sum: 40 }],
});

const of = (...nodes: readonly RouteTraffic[]) => sumTraffic(nodes).get(trafficKey(KEY));

test("nodes are added up, and what the server is to blame for has failed", () => {
  expect(of(node(["2xx", "", 5], ["5xx", "", 1]), node(["2xx", "", 2], ["none", "", 1]))).toEqual({
    requests: 9,
    failed: 2,
    counts: [2, 4, 0, 2],
    durationSumMs: 80,
  });
});

test.each([
  ["2xx", "0", 0],
  ["2xx", "5", 0],
  ["2xx", "14", 1],
  ["2xx", "2", 1],
  ["4xx", "", 0],
  ["3xx", "", 0],
])("%s with gRPC status %j: %i failed", (codeClass, grpcStatus, failed) => {
  expect(of(node([codeClass, grpcStatus, 1]))?.failed).toBe(failed);
});

test("rules, and the backends of a rule, are told apart", () => {
  const more = { ...KEY, codeClass: "2xx", grpcStatus: "", total: 1 };
  const sums = sumTraffic([
    { bounds: BOUNDS, durations: [], requests: [more, { ...more, rule: "1" }, { ...more, backend: "" }] },
  ]);
  expect([...sums.values()].map(({ requests }) => requests)).toEqual([1, 1, 1]);
});

test("between two looks is what came since; of a node that began anew, all that it has", () => {
  const before = sumTraffic([node(["2xx", "", 5], ["5xx", "", 1])]);
  const now = sumTraffic([node(["2xx", "", 9], ["5xx", "", 1])]);
  expect(trafficSince(before, now).get(trafficKey(KEY))).toEqual({
    requests: 4,
    failed: 0,
    counts: [0, 0, 0, 0],
    durationSumMs: 0,
  });
  expect(trafficSince(now, before).get(trafficKey(KEY))?.requests).toBe(6);
});

test.each([
  [[0, 0, 0, 0], 0.5, undefined],
  [[4, 0, 0, 0], 0.5, 0.5],
  [[0, 4, 0, 0], 0.5, 3],
  [[2, 2, 0, 0], 0.5, 1],
  [[2, 2, 0, 0], 0.75, 3],
  [[0, 0, 0, 4], 0.5, 10],
])("of %j the quantile %d is %s", (counts, quantile, expected) => {
  expect(quantileOf(BOUNDS, counts, quantile)).toBe(expected);
});

test("a quantile lies in the bucket in which it is, and never falls", () => {
  const values = array(double({ min: 0, max: 9.99, noNaN: true }), { minLength: 1, maxLength: 50 });
  assert(
    property(values, integer({ min: 0, max: 100 }), integer({ min: 0, max: 100 }), (observed, a, b) => {
      const bucketOf = (value: number): number => BOUNDS.findIndex((bound) => value <= bound);
      const counts = [...BOUNDS, Infinity].map(
        (_, bucket) => observed.filter((value) => bucketOf(value) === bucket).length,
      );
      const [low, high] = [Math.min(a, b), Math.max(a, b)].map(
        (percent) => quantileOf(BOUNDS, counts, percent / 100) ?? NaN,
      );
      expect(low).toBeLessThanOrEqual(high ?? NaN);
      const sorted = observed.toSorted((x, y) => x - y);
      const exact = sorted[Math.max(0, Math.ceil((Math.max(a, b) / 100) * sorted.length) - 1)] ?? NaN;
      const bucket = bucketOf(exact);
      expect(high).toBeLessThanOrEqual(BOUNDS[bucket] ?? NaN);
      expect(high).toBeGreaterThanOrEqual(BOUNDS[bucket - 1] ?? 0);
    }),
  );
});
