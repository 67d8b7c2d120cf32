import type {
  BackendPolicy as ProtoBackendPolicy,
  RetryConstraint as ProtoRetryConstraint,
} from "#api/gen/heddle/routes/v1alpha1/backend_policy_pb.js";
import type { BackendPolicy } from "#mesh/routes/backend-policy.ts";
import type { RetryConstraint } from "#mesh/routes/route.ts";
import { serviceNameOf, wholeNumber } from "./field-checks.ts";
import { decodeSessionPersistence } from "./session-persistence.ts";

/** @param problems takes what is wrong with it; what is returned then is not to be used */
export const decodeBackendPolicy = (proto: ProtoBackendPolicy, problems: string[]): BackendPolicy => ({
  service: serviceNameOf(proto.service, problems),
  retryConstraint: proto.retryConstraint && retryConstraint(proto.retryConstraint, problems),
  sessionPersistence: proto.sessionPersistence && decodeSessionPersistence(proto.sessionPersistence, problems),
});

const retryConstraint = (proto: ProtoRetryConstraint, problems: string[]): RetryConstraint => {
  const { percent, minRetries } = proto;
  if (percent > 100) problems.push(`retries of ${percent} percent`);
  return {
    percent,
    intervalMs: duration(proto.intervalMs, problems),
    minRetries,
    minRetriesIntervalMs: duration(proto.minRetriesIntervalMs, problems),
  };
};

/** An interval that something can happen in. */
const duration = (value: bigint, problems: string[]): number => {
  const ms = wholeNumber(value, problems);
  if (ms < 1) problems.push(`an interval of ${ms} ms`);
  return ms;
};
