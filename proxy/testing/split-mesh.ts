import type { BackendPolicy, BackendTls } from "#mesh/routes/backend-policy.ts";
import type { HttpRoute, PortRoutes } from "#mesh/routes/route.ts";
import { type PortKey, portKey } from "#mesh/routes/route-table.ts";
import { type AppProtocol, serviceHostname, type ServiceName, serviceName } from "#mesh/service.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import { exampleService, exampleWorkload, ip, snapshotWith } from "#mesh/testing/examples.ts";
import { httpRoute } from "#mesh/testing/routes.ts";
import type { Workload } from "#mesh/workload.ts";

/** The key of a Service of the namespace shop. */
export const keyOf = (name: string): ServiceName => `shop/${serviceHostname("shop", name)}`;

let addresses = 0;
const service = (name: string, protocol: AppProtocol = "http1", isHeadless = false) =>
  exampleService({
    name,
    hostname: serviceHostname("shop", name),
    addresses: isHeadless ? [] : [ip(`10.96.1.${++addresses}`)],
    ports: [{ port: 80, targetPort: 8080, protocol }],
  });

const pod = (name: string, of: string, index: number, changes: Partial<Workload> = {}): Workload =>
  exampleWorkload({
    name,
    addresses: [ip(`10.244.2.${index}`)],
    node: "node-2",
    services: new Map([[keyOf(of), [{ servicePort: 80, targetPort: 8080, protocol: "http1" }]]]),
    ...changes,
  });

/** Who calls: a pod in the mesh, and one that is not. */
export const CLIENT = exampleWorkload({
  name: "client",
  serviceAccount: "client",
  addresses: [ip("10.244.1.5")],
  services: new Map(),
});
export const STRANGER = exampleWorkload({
  namespace: "outside",
  name: "stranger",
  tunnel: "none",
  addresses: [ip("10.244.1.6")],
  services: new Map(),
});

/** Backends of test routes are Services of the namespace shop, by their own names. */
const inMesh = (route: HttpRoute): HttpRoute => {
  const text = JSON.stringify(route).replaceAll(
    /"service":"shop\/([a-z0-9]+)"/g,
    (_, name: string) => `"service":"${keyOf(name)}"`,
  );
  return { ...(JSON.parse(text) as HttpRoute), createdMs: Infinity };
};

const routesOf = (name: string, ...routes: readonly HttpRoute[]): readonly [PortKey, PortRoutes] => [
  portKey(keyOf(name), 80),
  { service: keyOf(name), port: 80, producer: { kind: "http", routes: routes.map(inMesh) }, consumers: new Map() },
];

const SPLIT = httpRoute({
  name: "split",
  rules: [
    {
      name: "beta",
      matches: [{ path: { type: "PathPrefix", value: "/" }, headers: [{ name: "x-user", value: "beta" }] }],
      backendRefs: [{ name: "v2", port: 80 }],
    },
    {
      filters: [
        {
          type: "RequestHeaderModifier",
          requestHeaderModifier: { set: [{ name: "x-env", value: "prod" }], remove: ["x-secret"] },
        },
        { type: "RequestMirror", requestMirror: { backendRef: { name: "shadow", port: 80 }, percent: 10 } },
      ],
      timeouts: { request: "10s" },
      retry: { attempts: 2, codes: [503] },
      backendRefs: [
        { name: "v1", port: 80, weight: 9 },
        {
          name: "v2",
          port: 80,
          weight: 1,
          filters: [
            {
              type: "URLRewrite",
              urlRewrite: { hostname: "canary", path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/new" } },
            },
          ],
        },
        { name: "missing", port: 80, weight: 10 },
        { name: "v1", port: 80, weight: 0 },
      ],
    },
  ],
});
const REDIRECT = httpRoute({
  name: "moved",
  rules: [
    {
      matches: [{ path: { type: "Exact", value: "/old" } }],
      filters: [{ type: "RequestRedirect", requestRedirect: { hostname: "elsewhere", statusCode: 301 } }],
    },
    { matches: [{ path: { type: "Exact", value: "/gone" } }], backendRefs: [{ name: "gone", port: 80 }] },
    {
      matches: [{ path: { type: "Exact", value: "/session" } }],
      sessionPersistence: { sessionName: "x-session", type: "Header" },
      retry: { attempts: 1, codes: [503] },
      backendRefs: [
        { name: "v1", port: 80 },
        { name: "v2", port: 80, weight: 0 },
      ],
    },
    { matches: [{ path: { type: "Exact", value: "/none" } }], backendRefs: [{ name: "v1", port: 80, weight: 0 }] },
  ],
});
const ONLY_API = httpRoute({ name: "api", rules: [{ matches: [{ path: { type: "PathPrefix", value: "/api" } }] }] });

const WEB = service("web");
const tlsPolicy = (name: string, tls: BackendTls): readonly [ServiceName, BackendPolicy] => {
  const policy = { service: keyOf(name), retryConstraint: undefined, sessionPersistence: undefined };
  return [policy.service, { ...policy, tls: new Map([[80, tls]]) }];
};

/** A Service whose requests are split, redirected and refused, and pods of all sorts behind its backends. */
export const splitMesh: Snapshot = snapshotWith({
  workloads: new Map(
    [
      CLIENT,
      STRANGER,
      pod("v1-0", "v1", 10),
      pod("v1-1", "v1", 11, { health: "unhealthy" }),
      pod("v1-2", "v1", 12, {
        services: new Map([[keyOf("v1"), [{ servicePort: 81, targetPort: 81, protocol: "tcp" }]]]),
      }),
      pod("v2-0", "v2", 20, { policies: ["shop/no-clients"] }),
      pod("v2-1", "v2", 21, { policies: ["shop/not-there"] }),
      pod("out-0", "out", 40, { tunnel: "none" }),
      pod("cut-0", "cut", 41, { tunnel: "none" }),
      pod("headless-0", "headless", 30),
      pod("headless-1", "headless", 31, { tunnel: "none" }),
    ].map((workload) => [workload.uid, workload]),
  ),
  services: new Map(
    [
      WEB,
      service("v1"),
      service("v2", "http2"),
      service("headless", "http1", true),
      service("raw", "tcp"),
      service("any", "unknown"),
      service("api"),
      service("out"),
      service("cut"),
    ].map((each) => [serviceName(each), each]),
  ),
  policies: new Map([
    [
      "shop/no-clients",
      {
        namespace: "shop",
        name: "no-clients",
        scope: "selector",
        action: "deny",
        dryRun: false,
        rules: [
          [[{ principals: { include: [{ kind: "exact", value: "cluster.local/ns/shop/sa/client" }], exclude: [] } }]],
        ],
      },
    ],
  ]),
  backendPolicies: new Map([
    tlsPolicy("out", { kind: "verified", hostname: "out.example", subjectAltNames: [], roots: [] }),
    tlsPolicy("cut", { kind: "unusable", reason: "it has no certificate" }),
    [
      keyOf("v1"),
      {
        service: keyOf("v1"),
        retryConstraint: { percent: 20, intervalMs: 10_000, minRetries: 10, minRetriesIntervalMs: 1_000 },
        sessionPersistence: undefined,
        tls: new Map(),
      },
    ],
  ]),
  routes: new Map([routesOf("web", SPLIT, REDIRECT), routesOf("api", ONLY_API)]),
});
