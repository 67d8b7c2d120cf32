import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import type { RoutedPort } from "#mesh/admin/routes-dump.ts";
import { grpcRoute, httpRoute } from "#mesh/testing/routes.ts";
import { routeRows } from "./route-rows.ts";
import { routesTables } from "./routes-table.ts";
import { sumTraffic } from "./traffic-sum.ts";

/** Services of test routes have no domain. */
const PORTS: readonly RoutedPort[] = [
  {
    namespace: "shop",
    name: "web",
    port: 80,
    sets: [
      {
        group: "producer",
        namespace: "shop",
        kind: "http",
        routes: [
          httpRoute({
            name: "split",
            rules: [
              {
                name: "beta",
                matches: [
                  { headers: [{ name: "x-user", value: "beta" }] },
                  { path: { type: "Exact", value: "/beta" } },
                ],
                backendRefs: [{ name: "v2", port: 80 }],
              },
              {
                backendRefs: [
                  { name: "v1", port: 80, weight: 5 },
                  { name: "v2", port: 80, weight: 1 },
                  { name: "v1", port: 80, weight: 2 },
                  { name: "missing", port: 80, weight: 2 },
                ],
              },
            ],
          }),
          httpRoute({
            name: "moved",
            rules: [
              { filters: [{ type: "RequestRedirect", requestRedirect: { statusCode: 301 } }] },
              { backendRefs: [] },
              { backendRefs: [{ name: "v1", port: 80, weight: 0 }] },
            ],
          }),
        ],
      },
    ],
  },
  {
    namespace: "shop",
    name: "rpc",
    port: 9000,
    sets: [
      {
        group: "consumer",
        namespace: "client",
        kind: "grpc",
        routes: [
          grpcRoute({ namespace: "client", name: "rpc", rules: [{ backendRefs: [{ name: "rpc", port: 9000 }] }] }),
        ],
      },
    ],
  },
];

const counted = (backend: string, codeClass: string, total: number) => ({
  route: "shop/split",
  rule: "1",
  backend,
  codeClass,
  grpcStatus: "",
  total,
});

const TRAFFIC = sumTraffic([
  {
    bounds: [1, 5, 2_500],
    requests: [
      counted("shop/v1:80", "2xx", 699_999),
      counted("shop/v1:80", "5xx", 1),
      counted("shop/v2:80", "2xx", 90_000),
      counted("shop/v2:80", "5xx", 10_000),
      counted("", "5xx", 200_000),
    ],
    durations: [{ route: "shop/split", rule: "1", backend: "shop/v1:80", counts: [0, 990, 10, 0], sum: 5_000 }],
  },
]);

const rows = () => routeRows(PORTS, TRAFFIC, [1, 5, 2_500]);

test("what is wanted stands beside what was served, for each backend of each rule", () => {
  expect(`\n${stripVTControlCharacters(routesTables(rows()))}`).toBe(`
Service shop/web:80
  ROUTE                 RULE    MATCHES               BACKEND       WEIGHT     SHARE  REQUESTS  SUCCESS  P50    P99
  HTTPRoute shop/split  0 beta  x-user=beta or /beta  shop/v2:80    1 (100 %)  -      -         -        -      -
                        1       all                   shop/v1:80    7 (70 %)   70 %   700000    99.99 %  3.0ms  5.0ms
                                                      shop/v2:80    1 (10 %)   10 %   100000    90 %     -      -
                                                      none (500)    2 (20 %)   20 %   200000    0 %      -      -
  HTTPRoute shop/moved  0       all                   redirect 301  -          -      -         -        -      -
                        1       all                   none (500)    -          -      -         -        -      -
                        2       all                   shop/v1:80    0 (0 %)    -      -         -        -      -

Service shop/rpc:9000
  ROUTE                                      RULE  MATCHES  BACKEND        WEIGHT     SHARE  REQUESTS  SUCCESS  P50  P99
  GRPCRoute client/rpc (its namespace only)  0     all      shop/rpc:9000  1 (100 %)  -      -         -        -    -`);
});

test("programs get numbers", () => {
  expect(rows()[1]).toEqual({
    service: "shop/web:80",
    group: "producer",
    kind: "HTTPRoute",
    route: "shop/split",
    rule: { index: 1, name: undefined },
    matches: ["all"],
    backend: "shop/v1:80",
    weight: 7,
    wanted: 0.7,
    served: {
      requests: 700_000,
      share: 0.7,
      success: 699_999 / 700_000,
      meanMs: 5,
      p50Ms: expect.closeTo(3.02, 2) as number,
      p99Ms: 5,
    },
  });
});
