import type { RetryConstraint, SessionPersistence } from "../routes/route.ts";
import { apiGroup, type RouteMetadata, routeMetadata } from "./gateway-reference.ts";
import { parseDnsSubdomain } from "./metadata.ts";
import {
  integer,
  object,
  optional,
  parsed,
  type Problem,
  type Reader,
  required,
  strictObject,
  text,
} from "./reader.ts";
import { boundedList, duration } from "./route-text.ts";
import { sessionPersistence } from "./session-persistence.ts";

/** Gateway API's XBackendTrafficPolicy (experimental, v1alpha1): what holds for all requests to Services of its namespace. */
export interface BackendTrafficPolicyObject {
  readonly kind: "XBackendTrafficPolicy";
  readonly metadata: RouteMetadata;
  readonly targets: readonly PolicyTarget[];
  readonly retryConstraint: RetryConstraint | undefined;
  readonly sessionPersistence: SessionPersistence | undefined;
  /** What is in order and not known here. */
  readonly unsupported: readonly Problem[];
}

/** An object in the policy's own namespace. */
export interface PolicyTarget {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}

const target = strictObject<PolicyTarget>({
  group: required(apiGroup),
  kind: required(text),
  name: required(parsed(parseDnsSubdomain)),
});

/** A duration within bounds, both included, in milliseconds. */
const durationWithin =
  (minMs: number, maxMs: number): Reader<number> =>
  (value, path, problems) => {
    const read = duration(value, path, problems);
    if (typeof read === "number" && (read < minMs || read > maxMs)) {
      problems.push({ path, message: `must be from ${minMs}ms to ${maxMs / 1_000}s` });
    }
    return read;
  };

const HOUR_MS = 3_600_000;

const DEFAULT_BUDGET = { percent: 20, interval: 10_000 };
const DEFAULT_MIN_RATE = { count: 10, interval: 1_000 };

const budget = strictObject({
  percent: optional(integer(0, 100), DEFAULT_BUDGET.percent),
  interval: optional(durationWithin(1_000, HOUR_MS), DEFAULT_BUDGET.interval),
});

const minRetryRate = strictObject({
  count: optional(integer(1, 1_000_000), DEFAULT_MIN_RATE.count),
  interval: optional(durationWithin(1, HOUR_MS), DEFAULT_MIN_RATE.interval),
});

const retryConstraint: Reader<RetryConstraint> = (value, path, problems) => {
  const read = strictObject({
    budget: optional(budget, DEFAULT_BUDGET),
    minRetryRate: optional(minRetryRate, DEFAULT_MIN_RATE),
  })(value, path, problems);
  return {
    percent: read.budget.percent,
    intervalMs: read.budget.interval,
    minRetries: read.minRetryRate.count,
    minRetriesIntervalMs: read.minRetryRate.interval,
  };
};

export const backendTrafficPolicyObject: Reader<BackendTrafficPolicyObject> = (value, path, problems) => {
  const unsupported: Problem[] = [];
  const spec = strictObject({
    targetRefs: required(boundedList(target, 1, 16)),
    retryConstraint: optional(retryConstraint),
    sessionPersistence: optional(sessionPersistence(unsupported)),
  });
  const read = object({ metadata: required(routeMetadata), spec: required(spec) })(value, path, problems);
  const { targetRefs, ...rest } = read.spec;
  return { kind: "XBackendTrafficPolicy", metadata: read.metadata, targets: targetRefs, ...rest, unsupported };
};
