import * as fc from "fast-check";
import type { BackendPolicy, BackendTls } from "../routes/backend-policy.ts";
import type {
  BackendTarget,
  GrpcMatch,
  HttpMatch,
  PathModifier,
  PortRoutes,
  Route,
  RouteFilter,
  RouteRule,
  RouteSet,
  SessionPersistence,
  TextMatch,
  ValueMatch,
} from "../routes/route.ts";
import type { ServiceName } from "../service.ts";

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/);
/** Without control characters: what is in objects is read so. */
const text = fc.stringMatching(/^[ -~äöü€]{0,20}$/);
const port = fc.integer({ min: 1, max: 65_535 });
const service = fc.tuple(name, name).map(([namespace, own]): ServiceName => `${namespace}/${own}.${namespace}.svc`);
const regex = fc.constantFrom("/a.*", "[0-9]+", "(?i)x|y", "");
const perhaps = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined });
const few = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value[]> => fc.array(value, { maxLength: 3 });
const durationMs = fc.oneof(fc.nat(100_000), fc.constantFrom(0, 99_999 * 3_600_000));

const textMatch: fc.Arbitrary<TextMatch> = fc.oneof(
  fc.record({ kind: fc.constant("exact" as const), value: text }),
  fc.record({ kind: fc.constant("regex" as const), value: regex }),
);
const valueMatch: fc.Arbitrary<ValueMatch> = fc.tuple(name, textMatch).map(([name, match]) => ({ name, ...match }));
const httpMatch: fc.Arbitrary<HttpMatch> = fc.record({
  path: fc.oneof(textMatch, fc.record({ kind: fc.constant("prefix" as const), value: text })),
  method: perhaps(fc.constantFrom("GET", "POST")),
  headers: few(valueMatch),
  queryParams: few(valueMatch),
});
const grpcMatch: fc.Arbitrary<GrpcMatch> = fc.record({
  service: perhaps(textMatch),
  method: perhaps(textMatch),
  headers: few(valueMatch),
});

const target: fc.Arbitrary<BackendTarget> = fc.oneof(
  fc.record({ kind: fc.constant("service" as const), service, port }),
  fc.record({ kind: fc.constant("invalid" as const), reason: fc.string() }),
);
const headerValues = few(fc.record({ name, value: text }));
const headerModifier = { set: headerValues, add: headerValues, remove: few(name) };
const pathModifier: fc.Arbitrary<PathModifier> = fc.record({
  kind: fc.constantFrom("full" as const, "prefix" as const),
  value: text,
});
const share = fc.tuple(fc.nat(1_000), fc.nat(1_000)).map(([numerator, more]) => ({
  numerator,
  denominator: numerator + more + 1,
}));
const filter: fc.Arbitrary<RouteFilter> = fc.oneof(
  fc.record({ kind: fc.constant("request-header-modifier" as const), ...headerModifier }),
  fc.record({ kind: fc.constant("response-header-modifier" as const), ...headerModifier }),
  fc.record({
    kind: fc.constant("request-redirect" as const),
    scheme: perhaps(fc.constantFrom("http" as const, "https" as const)),
    hostname: perhaps(name),
    path: perhaps(pathModifier),
    port: perhaps(port),
    statusCode: fc.constantFrom(301 as const, 302 as const, 303 as const, 307 as const, 308 as const),
  }),
  fc.record({ kind: fc.constant("url-rewrite" as const), hostname: perhaps(name), path: perhaps(pathModifier) }),
  fc.record({
    kind: fc.constant("cors" as const),
    allowOrigins: few(text),
    allowMethods: few(name),
    allowHeaders: few(name),
    exposeHeaders: few(name),
    allowCredentials: fc.boolean(),
    maxAgeSeconds: fc.nat(),
  }),
  fc.record({ kind: fc.constant("request-mirror" as const), target, share }),
  fc.record({
    kind: fc.constant("unavailable" as const),
    cause: fc.constantFrom("unsupported" as const, "unresolved" as const),
    reason: fc.string(),
  }),
);

const session: fc.Arbitrary<SessionPersistence> = fc.oneof(
  fc.record({
    kind: fc.constant("cookie" as const),
    absoluteTimeoutMs: perhaps(durationMs),
    name: perhaps(name),
    path: name.map((each) => `/${each}`),
    isPermanent: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("header" as const), absoluteTimeoutMs: perhaps(durationMs), name }),
);

const ruleOf = <Match>(match: fc.Arbitrary<Match>): fc.Arbitrary<RouteRule<Match>> =>
  fc.record({
    index: fc.nat(15),
    name: perhaps(name),
    matches: few(match),
    filters: few(filter),
    backends: few(fc.record({ weight: fc.nat(1_000_000), filters: few(filter), target })),
    timeouts: fc.record({ requestMs: perhaps(durationMs), backendRequestMs: perhaps(durationMs) }),
    retry: perhaps(
      fc.record({
        codes: few(fc.integer({ min: 400, max: 599 })),
        attempts: fc.nat(1_000_000),
        backoffMs: perhaps(durationMs),
      }),
    ),
    sessionPersistence: perhaps(session),
  });

const routesOf = <Match>(match: fc.Arbitrary<Match>): fc.Arbitrary<Route<Match>[]> =>
  few(
    fc.record({
      namespace: name,
      name,
      createdMs: fc.oneof(fc.integer({ min: 0, max: 2 ** 42 }), fc.constant(Infinity)),
      rules: few(ruleOf(match)),
    }),
  );

const routeSet: fc.Arbitrary<RouteSet> = fc.oneof(
  fc.record({ kind: fc.constant("http" as const), routes: routesOf(httpMatch) }),
  fc.record({ kind: fc.constant("grpc" as const), routes: routesOf(grpcMatch) }),
);

const tlsOf = (root: Uint8Array): fc.Arbitrary<BackendTls> =>
  fc.oneof(
    fc.record({ kind: fc.constant("unusable" as const), reason: fc.string() }),
    fc.record({
      kind: fc.constant("verified" as const),
      hostname: name,
      subjectAltNames: few(fc.record({ kind: fc.constantFrom("hostname" as const, "uri" as const), value: name })),
      roots: fc.constantFrom([root], [root, root]),
    }),
  );

const intervalMs = fc.integer({ min: 1, max: 3_600_000 });

/** Any policy of a Service that objects can say. @param root of an authority, DER */
export const arbitraryBackendPolicy = (root: Uint8Array): fc.Arbitrary<BackendPolicy> =>
  fc.record({
    service,
    retryConstraint: perhaps(
      fc.record({
        percent: fc.nat(100),
        intervalMs,
        minRetries: fc.integer({ min: 1, max: 1_000_000 }),
        minRetriesIntervalMs: intervalMs,
      }),
    ),
    sessionPersistence: perhaps(session),
    tls: fc.array(fc.tuple(port, tlsOf(root)), { maxLength: 3 }).map((entries) => new Map(entries)),
  });

/** Any routes that objects can say. */
export const arbitraryPortRoutes: fc.Arbitrary<PortRoutes> = fc.record({
  service,
  port,
  producer: perhaps(routeSet),
  consumers: fc.array(fc.tuple(name, routeSet), { maxLength: 2 }).map((entries) => new Map(entries)),
});
