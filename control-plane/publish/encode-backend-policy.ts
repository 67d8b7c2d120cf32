import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { RoutingSchema } from "#api/gen/heddle/routes/v1alpha1/routing_pb.js";
import type { PortTlsSchema } from "#api/gen/heddle/routes/v1alpha1/backend_policy_pb.js";
import type { BackendPolicy, BackendTls } from "#mesh/routes/backend-policy.ts";
import { encodeSessionPersistence } from "./encode-session-persistence.ts";
import { type Resource, resourceOf } from "./resource.ts";

/** What holds for all requests to a Service as `heddle.routes.v1alpha1.Routing`. */
export const encodeBackendPolicy = ({ service, retryConstraint, sessionPersistence, tls }: BackendPolicy): Resource => {
  const value = {
    service,
    retryConstraint: retryConstraint && {
      percent: retryConstraint.percent,
      intervalMs: BigInt(retryConstraint.intervalMs),
      minRetries: retryConstraint.minRetries,
      minRetriesIntervalMs: BigInt(retryConstraint.minRetriesIntervalMs),
    },
    sessionPersistence: sessionPersistence && encodeSessionPersistence(sessionPersistence),
    tls: [...tls].sort(([a], [b]) => a - b).map(([port, each]) => ({ port, tls: encodeTls(each) })),
  };
  const message = create(RoutingSchema, { type: { case: "backend", value } });
  return resourceOf(service, [], toBinary(RoutingSchema, message));
};

const encodeTls = (tls: BackendTls): NonNullable<MessageInitShape<typeof PortTlsSchema>["tls"]> => {
  if (tls.kind === "unusable") return { case: "unusable", value: tls.reason };
  const subjectAltNames = tls.subjectAltNames.map(({ kind, value }) => ({ name: { case: kind, value } }));
  return { case: "verified", value: { hostname: tls.hostname, subjectAltNames, roots: [...tls.roots] } };
};
