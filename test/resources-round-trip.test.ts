import * as fc from "fast-check";
import { expect, test } from "vitest";
import { testAuthority } from "#certs/testing/test-authority.ts";
import { encodeAuthorization } from "#control-plane/publish/encode-authorization.ts";
import { encodeBackendPolicy } from "#control-plane/publish/encode-backend-policy.ts";
import { encodeRoutes } from "#control-plane/publish/encode-routes.ts";
import { encodeService } from "#control-plane/publish/encode-service.ts";
import { encodeTrustBundle } from "#control-plane/publish/encode-trust-bundle.ts";
import { encodeWorkload } from "#control-plane/publish/encode-workload.ts";
import { cidr } from "#mesh/cidr.ts";
import { ipAddressFromBytes } from "#mesh/ip-address.ts";
import type { Authorization, Condition, Match } from "#mesh/policies/authorization.ts";
import type { StringMatch } from "#mesh/policies/string-match.ts";
import { unwrap } from "#mesh/result.ts";
import type { AppProtocol, Service, ServiceName } from "#mesh/service.ts";
import { compilePort } from "#mesh/routes/route-table.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import { arbitraryBackendPolicy, arbitraryPortRoutes } from "#mesh/testing/arbitrary-routes.ts";
import type { Workload } from "#mesh/workload.ts";
import { decodeAddress } from "#proxy/resources/address.ts";
import { decodeAuthorization } from "#proxy/resources/authorization.ts";
import { decodeRouting } from "#proxy/resources/routing.ts";
import { decodeTrustBundle } from "#proxy/resources/trust-bundle.ts";

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
const port = fc.integer({ min: 1, max: 65_535 });
const protocol = fc.constantFrom<AppProtocol[]>("unknown", "http1", "http2", "grpc", "tcp", "tls");
const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map((bytes) => unwrap(ipAddressFromBytes(bytes)));
const range = fc.tuple(address, fc.nat(32)).map(([base, length]) => unwrap(cidr(base, length)));

const workload: fc.Arbitrary<Workload> = fc.record({
  uid: name.map((each) => `Kubernetes//Pod/shop/${each}`),
  name,
  namespace: name,
  addresses: fc.array(address, { maxLength: 3 }),
  node: name,
  cluster: name,
  network: fc.constant(""),
  trustDomain: fc.constantFrom("cluster.local", "example.org").map((text) => unwrap(parseTrustDomain(text))),
  serviceAccount: name,
  tunnel: fc.constantFrom("hbone" as const, "none" as const),
  health: fc.constantFrom("healthy" as const, "unhealthy" as const),
  hostNetwork: fc.boolean(),
  owner: fc.record({ kind: fc.constantFrom("deployment", "cronjob", "job", "pod"), name }),
  canonicalName: name,
  canonicalRevision: name,
  locality: fc.record({ region: name, zone: name, subzone: name }),
  services: fc
    .array(fc.tuple(name, fc.array(fc.record({ servicePort: port, targetPort: port, protocol }), { maxLength: 3 })))
    .map((entries) => new Map(entries.map(([each, ports]) => [`shop/${each}.svc` as ServiceName, ports]))),
  policies: fc.array(name.map((each) => `shop/${each}`)),
});

const service: fc.Arbitrary<Service> = fc.record({
  name,
  namespace: name,
  hostname: name.map((each) => `${each}.svc.cluster.local`),
  addresses: fc.array(address, { maxLength: 3 }),
  network: fc.constant(""),
  ports: fc.array(fc.record({ port, targetPort: fc.integer({ min: 0, max: 65_535 }), protocol }), { maxLength: 4 }),
  sendToUnready: fc.boolean(),
});

const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
  fc.record({ kind: fc.constantFrom("exact" as const, "prefix" as const, "suffix" as const), value: name }),
  fc.constant({ kind: "presence" as const }),
);

/** A field that says something: one without values is the same as one that is not there. */
const condition = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Condition<Value>> =>
  fc
    .record({ include: fc.array(value, { maxLength: 2 }), exclude: fc.array(value, { maxLength: 2 }) })
    .filter(({ include, exclude }) => include.length + exclude.length > 0);

const match: fc.Arbitrary<Match> = fc.record(
  {
    namespaces: condition(stringMatch),
    principals: condition(stringMatch),
    serviceAccounts: condition(fc.record({ namespace: name, name })),
    sourceIps: condition(range),
    destinationIps: condition(range),
    destinationPorts: condition(port),
  },
  { requiredKeys: [] },
);

const policy: fc.Arbitrary<Authorization> = fc.record({
  namespace: name,
  name,
  scope: fc.constantFrom("global" as const, "namespace" as const, "selector" as const),
  action: fc.constantFrom("allow" as const, "deny" as const),
  dryRun: fc.boolean(),
  rules: fc.array(fc.array(fc.array(match, { maxLength: 2 }), { maxLength: 2 }), { maxLength: 3 }),
});

test("X-11: a workload that the control plane sends is the workload that a node reads", () => {
  fc.assert(
    fc.property(workload, (value) => {
      const { name, body } = encodeWorkload(value);
      expect(decodeAddress(name, body)).toEqual({ ok: true, value: { kind: "workload", workload: value } });
    }),
  );
});

test("X-11: a service that the control plane sends is the service that a node reads", () => {
  fc.assert(
    fc.property(service, (value) => {
      const { name, body } = encodeService(value);
      expect(decodeAddress(name, body)).toEqual({ ok: true, value: { kind: "service", service: value } });
    }),
  );
});

test("X-11: a policy that the control plane sends is the policy that a node enforces", () => {
  fc.assert(
    fc.property(policy, (value) => {
      const { name, body } = encodeAuthorization(value);
      expect(decodeAuthorization(name, body)).toEqual({ ok: true, value });
    }),
  );
});

test("X-11: the roots that the control plane sends are the roots that a node trusts", () => {
  const { bundle } = testAuthority();
  const { name, body } = encodeTrustBundle(bundle);
  const decoded = unwrap(decodeTrustBundle(name, body));
  expect(decoded.roots.map((root) => Buffer.from(root))).toEqual(bundle.roots.map((root) => Buffer.from(root)));
  expect(decoded.retired).toEqual([]);
  const retired = ["ab".repeat(32), "0c".repeat(32)];
  expect(unwrap(decodeTrustBundle(name, encodeTrustBundle({ ...bundle, retired }).body)).retired).toEqual(retired);
});

test("X-11: the routes that the control plane sends are the routes that a node follows", () => {
  fc.assert(
    fc.property(arbitraryPortRoutes, (value) => {
      const { name, body } = encodeRoutes(value);
      expect(decodeRouting(name, body)).toEqual({ ok: true, value: { kind: "routes", routes: value } });
      expect(() => compilePort(value)).not.toThrow();
    }),
    { numRuns: 300 },
  );
});

test("X-11: the policy of a Service that the control plane sends is the one that a node follows", () => {
  fc.assert(
    fc.property(arbitraryBackendPolicy(Uint8Array.from(testAuthority().root.certificate)), (policy) => {
      const { name, body } = encodeBackendPolicy(policy);
      expect(decodeRouting(name, body)).toEqual({ ok: true, value: { kind: "backend-policy", policy } });
    }),
  );
});

test("the same routes have the same version, in whatever order their namespaces came", () => {
  fc.assert(
    fc.property(arbitraryPortRoutes, (value) => {
      const turned = { ...value, consumers: new Map([...value.consumers].reverse()) };
      expect(encodeRoutes(turned).version).toBe(encodeRoutes(value).version);
    }),
  );
});

test("the same content has the same version, another content another", () => {
  fc.assert(
    fc.property(workload, workload, (one, other) => {
      expect(encodeWorkload(one).version).toBe(encodeWorkload({ ...one }).version);
      const isSame = Buffer.compare(encodeWorkload(one).body, encodeWorkload(other).body) === 0;
      expect(encodeWorkload(one).version === encodeWorkload(other).version).toBe(isSame);
    }),
  );
});
