import { create, toBinary } from "@bufbuild/protobuf";
import { RoutingSchema } from "#api/gen/heddle/routes/v1alpha1/routing_pb.js";
import type { BackendPolicy } from "#mesh/routes/backend-policy.ts";
import { encodeSessionPersistence } from "./encode-session-persistence.ts";
import { type Resource, resourceOf } from "./resource.ts";

/** What holds for all requests to a Service as `heddle.routes.v1alpha1.Routing`. */
export const encodeBackendPolicy = ({ service, retryConstraint, sessionPersistence }: BackendPolicy): Resource => {
  const value = {
    service,
    retryConstraint: retryConstraint && {
      percent: retryConstraint.percent,
      intervalMs: BigInt(retryConstraint.intervalMs),
      minRetries: retryConstraint.minRetries,
      minRetriesIntervalMs: BigInt(retryConstraint.minRetriesIntervalMs),
    },
    sessionPersistence: sessionPersistence && encodeSessionPersistence(sessionPersistence),
  };
  const message = create(RoutingSchema, { type: { case: "backend", value } });
  return resourceOf(service, [], toBinary(RoutingSchema, message));
};
