import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SessionPersistenceSchema } from "#api/gen/heddle/routes/v1alpha1/session_persistence_pb.js";
import {
  type BackendPolicy,
  BackendPolicySchema,
  PortTlsSchema,
  RetryConstraintSchema,
  VerifiedTlsSchema,
} from "#api/gen/heddle/routes/v1alpha1/backend_policy_pb.js";
import {
  CorsSchema,
  FilterSchema,
  MatchSchema,
  type PortRoutes,
  PortRoutesSchema,
  RouteKind,
  RouteSchema,
  RouteSetSchema,
  type Rule,
  RuleSchema,
  UnavailableCause,
} from "#api/gen/heddle/routes/v1alpha1/port_routes_pb.js";
import { RoutingSchema } from "#api/gen/heddle/routes/v1alpha1/routing_pb.js";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { formatCertificates } from "#certs/x509/pem.ts";
import { compilePort } from "#mesh/routes/route-table.ts";
import { routesBytes, WEB_ROUTES, WEB_SERVICE } from "../testing/resource-bytes.ts";
import { decodeRouting } from "./routing.ts";

/** Routes of port 80 with one rule, to be made worse. */
const proto = (rule: Partial<Rule> = {}, port: Partial<PortRoutes> = {}): PortRoutes => {
  const rules = [Object.assign(create(RuleSchema), rule)];
  const producer = create(RouteSetSchema, { kind: RouteKind.HTTP, routes: [create(RouteSchema, { rules })] });
  return Object.assign(create(PortRoutesSchema, { service: WEB_SERVICE, port: 80, producer }), port);
};
const bytesOf = (value: PortRoutes): Uint8Array =>
  toBinary(RoutingSchema, create(RoutingSchema, { type: { case: "routes", value } }));
const decode = (value: PortRoutes) => decodeRouting(WEB_ROUTES, bytesOf(value));

const matching = (http: object): Partial<Rule> => ({
  matches: [create(MatchSchema, { match: { case: "http", value: http } })],
});
const filtering = (filter: NonNullable<MessageInitShape<typeof FilterSchema>["filter"]>): Partial<Rule> => ({
  filters: [create(FilterSchema, { filter })],
});
const path = (value: string, kind = "prefix") => ({ path: { match: { case: kind, value } } });
const UNKNOWN = [{ no: 99, wireType: 0, data: Uint8Array.of(1) }];

test("routes of a port are decoded under their port's name and under no other", () => {
  expect(decodeRouting(WEB_ROUTES, routesBytes())).toMatchObject({
    ok: true,
    value: { kind: "routes", routes: { service: WEB_SERVICE, port: 80 } },
  });
  for (const name of ["", `${WEB_SERVICE}:81`, WEB_SERVICE, `other${WEB_ROUTES}`]) {
    expect(decodeRouting(name, routesBytes())).toMatchObject({ ok: false, error: /is not the resource's name/ });
  }
});

test.each<[string, PortRoutes, RegExp]>([
  ["a port out of range", proto({}, { port: 65_536 }), /port 65536 is out of range/],
  ["no service", proto({}, { service: "web" }), /"web" is no service/],
  ["an unknown kind of routes", proto({}, { producer: create(RouteSetSchema) }), /routes of unknown kind/],
  [
    "a namespace twice",
    proto(
      {},
      create(PortRoutesSchema, {
        service: WEB_SERVICE,
        port: 80,
        consumers: [1, 2].map(() => ({ namespace: "a", routes: { kind: RouteKind.HTTP } })),
      }),
    ),
    /twice/,
  ],
  [
    "a consumer without routes",
    create(PortRoutesSchema, { service: WEB_SERVICE, port: 80, consumers: [{}] }),
    /unknown kind/,
  ],
  ["an empty match", proto({ matches: [create(MatchSchema)] }), /of another kind/],
  [
    "a match of gRPC among those of HTTP",
    proto({ matches: [create(MatchSchema, { match: { case: "grpc", value: {} } })] }),
    /of another kind/,
  ],
  ["a match without path", proto(matching({})), /a match of unknown kind/],
  ["a path that is no regular expression", proto(matching(path("(", "regex"))), /missing closing/],
  ["a regular expression that is too dear", proto(matching(path("(a{1000}){2}", "regex"))), /./],
  ["a line break in a path", proto(matching(path("/a\r\nb"))), /control characters/],
  [
    "a header's name in upper case",
    proto(matching({ ...path("/"), headers: [{ name: "A", value: { match: { case: "exact", value: "" } } }] })),
    /no header's name/,
  ],
  [
    "a header match without value",
    proto(matching({ ...path("/"), headers: [{ name: "a" }] })),
    /a match of unknown kind/,
  ],
  ["an empty filter", proto({ filters: [create(FilterSchema)] }), /a filter of unknown kind/],
  [
    "a header that ends its line",
    proto(filtering({ case: "requestHeaderModifier", value: { set: [{ name: "a", value: "b\nc: d" }] } })),
    /control characters/,
  ],
  [
    "a header without name",
    proto(filtering({ case: "responseHeaderModifier", value: { remove: [""] } })),
    /no header's name/,
  ],
  [
    "a redirect with status 200",
    proto(filtering({ case: "requestRedirect", value: { statusCode: 200 } })),
    /status 200/,
  ],
  [
    "a redirect to another scheme",
    proto(filtering({ case: "requestRedirect", value: { statusCode: 301, scheme: "file" } })),
    /unknown scheme/,
  ],
  ["a rewrite without modifier", proto(filtering({ case: "urlRewrite", value: { path: {} } })), /path modifier/],
  [
    "a mirror of more than all",
    proto(
      filtering({
        case: "requestMirror",
        value: { numerator: 2, denominator: 1, target: { target: { case: "invalid", value: "" } } },
      }),
    ),
    /mirror of 2\/1/,
  ],
  [
    "a mirror without denominator",
    proto(filtering({ case: "requestMirror", value: { target: { target: { case: "invalid", value: "" } } } })),
    /mirror of 0\/0/,
  ],
  [
    "a mirror to nowhere",
    proto(filtering({ case: "requestMirror", value: { denominator: 1 } })),
    /target of unknown kind/,
  ],
  [
    "an unavailable filter without cause",
    proto(filtering({ case: "unavailable", value: { cause: UnavailableCause.UNSPECIFIED } })),
    /unknown cause/,
  ],
  ["a backend that leads nowhere", proto(create(RuleSchema, { backends: [{}] })), /target of unknown kind/],
  ["a timeout beyond all numbers", proto(create(RuleSchema, { requestTimeoutMs: 2n ** 60n })), /out of range/],
  [
    "a session of unknown kind",
    proto(create(RuleSchema, { sessionPersistence: {} })),
    /session persistence of unknown kind/,
  ],
  [
    "a cookie with a path of two attributes",
    proto(create(RuleSchema, { sessionPersistence: { token: { case: "cookie", value: { path: "/; Domain=x" } } } })),
    /a cookie's path/,
  ],
  [
    "a cookie with a name that is no token",
    proto(create(RuleSchema, { sessionPersistence: { token: { case: "cookie", value: { name: "a b", path: "/" } } } })),
    /a cookie's name/,
  ],
  ["a field of a later version, anywhere", proto({ $unknown: UNKNOWN }), /fields that this version does not know/],
  [
    "a field of a later version in a filter",
    proto(filtering({ case: "cors", value: Object.assign(create(CorsSchema), { $unknown: UNKNOWN }) })),
    /fields that this version does not know/,
  ],
])("%s is a reason to refuse the resource", (_, value, reason) => {
  expect(decode(value)).toMatchObject({ ok: false, error: expect.stringMatching(reason) as unknown });
});

const ROOT = testAuthority().root.certificate;
const tls = (changes: { port?: number }, verified: MessageInitShape<typeof VerifiedTlsSchema> = {}) =>
  create(PortTlsSchema, {
    port: 443,
    ...changes,
    tls: {
      case: "verified",
      value: create(VerifiedTlsSchema, { hostname: "a", roots: [ROOT], ...verified }),
    },
  });
const constraint = (changes: MessageInitShape<typeof RetryConstraintSchema>) =>
  create(RetryConstraintSchema, { ...policy, ...changes });
const policy = { percent: 20, intervalMs: 10_000n, minRetries: 10, minRetriesIntervalMs: 1_000n };
const decodePolicy = (value: Partial<BackendPolicy>) => {
  const good = create(BackendPolicySchema, { service: WEB_SERVICE, retryConstraint: policy });
  const backend = Object.assign(good, value);
  return decodeRouting(
    WEB_SERVICE,
    toBinary(RoutingSchema, create(RoutingSchema, { type: { case: "backend", value: backend } })),
  );
};

test("the policy of a Service is decoded under the Service's name", () => {
  expect(decodePolicy({})).toMatchObject({ ok: true, value: { policy: { retryConstraint: { intervalMs: 10_000 } } } });
  expect(decodePolicy({ service: `${WEB_SERVICE}x` })).toMatchObject({ ok: false });
});

test.each<[string, Partial<BackendPolicy>, RegExp]>([
  ["no Service", { service: "" }, /is no service/],
  ["more than all", { retryConstraint: constraint({ percent: 101 }) }, /101 percent/],
  ["no time", { retryConstraint: constraint({ intervalMs: 0n }) }, /an interval of 0 ms/],
  ["no time for a few", { retryConstraint: constraint({ minRetriesIntervalMs: 0n }) }, /an interval of 0 ms/],
  ["endless time", { retryConstraint: constraint({ intervalMs: 2n ** 60n }) }, /out of range/],
  ["a session of unknown kind", { sessionPersistence: create(SessionPersistenceSchema) }, /unknown kind/],
  ["TLS at no port", { tls: [tls({ port: 0 })] }, /port 0 is out of range/],
  ["TLS at a port twice", { tls: [tls({}), tls({})] }, /twice/],
  ["TLS of unknown kind", { tls: [create(PortTlsSchema, { port: 443 })] }, /TLS of unknown kind/],
  ["TLS without a host name", { tls: [tls({}, { hostname: "" })] }, /without a host name/],
  ["TLS that trusts nobody", { tls: [tls({}, { roots: [] })] }, /without an authority/],
  ["TLS that trusts no certificate", { tls: [tls({}, { roots: [Uint8Array.of(1)] })] }, /no certificate/],
  ["TLS that trusts PEM", { tls: [tls({}, { roots: [Buffer.from(formatCertificates([ROOT]))] })] }, /no certificate/],
  ["a name of unknown kind", { tls: [tls({}, { subjectAltNames: [{}] })] }, /alternative name of unknown kind/],
  [
    "an empty name",
    { tls: [tls({}, { subjectAltNames: [{ name: { case: "uri", value: "" } }] })] },
    /alternative name of unknown kind/,
  ],
])("a policy with %s is refused", (_, value, reason) => {
  expect(decodePolicy(value)).toMatchObject({ ok: false, error: expect.stringMatching(reason) as unknown });
});

test("of many mistakes the first ones are named", () => {
  const many = Array.from({ length: 50 }, () => create(FilterSchema));
  const decoded = decode(proto({ filters: many }));
  expect(decoded.ok ? 0 : decoded.error.split("; ").length).toBe(10);
});

test("no bytes make the decoder throw, and what it accepts can be compiled", () => {
  const good = routesBytes();
  const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  const worsened = changes.map((list) => {
    const bytes = Uint8Array.from(good);
    for (const [index, byte] of list) bytes[index] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), worsened), (bytes) => {
      const decoded = decodeRouting(WEB_ROUTES, bytes);
      if (decoded.ok) expect(() => decoded.value.kind === "routes" && compilePort(decoded.value.routes)).not.toThrow();
      else expect(decoded.error).not.toBe("");
    }),
    { numRuns: 3_000 },
  );
});
