import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { RouteKind } from "#api/gen/heddle/routes/v1alpha1/port_routes_pb.js";
import { RoutingSchema } from "#api/gen/heddle/routes/v1alpha1/routing_pb.js";
import { TrustBundleSchema } from "#api/gen/heddle/trust/v1alpha1/trust_bundle_pb.js";
import { AuthorizationSchema } from "#api/gen/istio/security/authorization_pb.js";
import {
  AddressSchema,
  type ServiceSchema,
  TunnelProtocol,
  type WorkloadSchema,
} from "#api/gen/istio/workload/workload_pb.js";
import { portKey } from "#mesh/routes/route-table.ts";
import type { ServiceName } from "#mesh/service.ts";

/** For tests: a resource as the control plane sends it, of a pod `shop/web-0` unless something else is said. */
export const workloadBytes = (changes: MessageInitShape<typeof WorkloadSchema> = {}): Uint8Array => {
  const value = {
    uid: WEB_0,
    name: "web-0",
    namespace: "shop",
    serviceAccount: "web",
    addresses: [Uint8Array.of(10, 244, 1, 10)],
    tunnelProtocol: TunnelProtocol.HBONE,
    ...changes,
  };
  return toBinary(AddressSchema, create(AddressSchema, { type: { case: "workload", value } }));
};

/** Name of the resource that {@link workloadBytes} makes by default. */
export const WEB_0 = "Kubernetes//Pod/shop/web-0";

/** For tests: the service `web` in the namespace `shop`. */
export const serviceBytes = (changes: MessageInitShape<typeof ServiceSchema> = {}): Uint8Array => {
  const value = {
    name: "web",
    namespace: "shop",
    hostname: "web.shop.svc.cluster.local",
    addresses: [{ address: Uint8Array.of(10, 96, 0, 10) }],
    ports: [{ servicePort: 80, targetPort: 8080 }],
    ...changes,
  };
  return toBinary(AddressSchema, create(AddressSchema, { type: { case: "service", value } }));
};

/** Name of the resource that {@link serviceBytes} makes by default. */
export const WEB_SERVICE = "shop/web.shop.svc.cluster.local" satisfies ServiceName;

/** For tests: a policy, `shop/deny` unless something else is said. */
export const policyBytes = (changes: MessageInitShape<typeof AuthorizationSchema> = {}): Uint8Array =>
  toBinary(AuthorizationSchema, create(AuthorizationSchema, { namespace: "shop", name: "deny", ...changes }));

/** For tests: a trust bundle. */
export const bundleBytes = (roots: readonly Uint8Array[], trustDomain = "cluster.local"): Uint8Array =>
  toBinary(TrustBundleSchema, create(TrustBundleSchema, { trustDomain, roots: [...roots] }));

/** For tests: routes of port 80 of {@link WEB_SERVICE}: everything goes to another of its ports. */
export const routesBytes = (backendPort = 81): Uint8Array => {
  const target = { target: { case: "service" as const, value: { service: WEB_SERVICE, port: backendPort } } };
  const http = { path: { match: { case: "prefix" as const, value: "/" } } };
  const rule = { matches: [{ match: { case: "http" as const, value: http } }], backends: [{ weight: 1, target }] };
  const producer = { kind: RouteKind.HTTP, routes: [{ namespace: "shop", name: "web", rules: [rule] }] };
  const value = { service: WEB_SERVICE, port: 80, producer };
  return toBinary(RoutingSchema, create(RoutingSchema, { type: { case: "routes", value } }));
};

/** For tests: the policy of {@link WEB_SERVICE}, under whose name it is: 10 retries a second, or as many as are asked for. */
export const backendPolicyBytes = (minRetries = 10): Uint8Array => {
  const retryConstraint = { percent: 20, intervalMs: 10_000n, minRetries, minRetriesIntervalMs: 1_000n };
  const value = { service: WEB_SERVICE, retryConstraint };
  return toBinary(RoutingSchema, create(RoutingSchema, { type: { case: "backend", value } }));
};

/** Name of the resource that {@link routesBytes} makes by default. */
export const WEB_ROUTES = portKey(WEB_SERVICE, 80);
