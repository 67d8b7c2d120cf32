import { describe, expect, test } from "vitest";
import type { RetryConstraint } from "#mesh/routes/route.ts";
import { serviceName } from "#mesh/service.ts";
import type { Snapshot } from "#mesh/snapshot.ts";
import { exampleService, exampleWorkload, ip, snapshotWith } from "#mesh/testing/examples.ts";
import { testVitals } from "../../testing/test-vitals.ts";
import type { Reachable } from "../connect-destination.ts";
import type { Pipeline } from "../pipeline.ts";
import { Counters } from "../vitals/counters.ts";
import { FlowLog } from "../vitals/flow-log.ts";
import { retryBudget } from "./retry-budgets.ts";

const CONSTRAINT: RetryConstraint = { percent: 50, intervalMs: 10_000, minRetries: 1, minRetriesIntervalMs: 10_000 };
const CALLED = { address: ip("10.96.0.10"), port: 80 };
const SERVICE = exampleService();

const at = (service = SERVICE, port = 80): Reachable => ({
  kind: "service",
  service,
  port: { port, targetPort: 8080, protocol: "unknown" },
  called: CALLED,
});

/** A mesh in which these Services may get so many retries. */
const meshOf = (constraint: RetryConstraint | undefined, base?: Snapshot, service = SERVICE): Snapshot => {
  const name = serviceName(service);
  const policy = { service: name, retryConstraint: constraint, sessionPersistence: undefined, tls: new Map() };
  return snapshotWith({ backendPolicies: new Map([[name, policy]]) }, base);
};

const pipeline = { vitals: testVitals(new Counters(), new FlowLog("all"), () => 0) } as Pipeline;
const budgetIn = (snapshot: Snapshot, destination = at()) => retryBudget(pipeline, snapshot, destination);

describe("the retries of a Service", () => {
  test("are bounded only where a policy says so, and only at a Service", () => {
    expect(budgetIn(meshOf(undefined))).toBeUndefined();
    expect(budgetIn(snapshotWith({}))).toBeUndefined();
    const workload = exampleWorkload();
    expect(budgetIn(meshOf({ ...CONSTRAINT }), { kind: "workload", workload, called: CALLED })).toBeUndefined();
  });

  test("are bounded for all requests together, whoever sends them to whichever of its ports", () => {
    const mesh = meshOf({ ...CONSTRAINT });
    expect(budgetIn(mesh)?.takeRetry()).toBe(true);
    expect(budgetIn(mesh, at(SERVICE, 81))?.takeRetry()).toBe(false);
  });

  test("are a share of all of its requests", () => {
    const mesh = meshOf({ ...CONSTRAINT });
    for (let count = 0; count < 4; count++) budgetIn(mesh)?.noteRequest();
    const taken = Array.from({ length: 10 }, () => budgetIn(mesh)?.takeRetry() === true);
    // Four of then eight.
    expect(taken.filter(Boolean)).toHaveLength(4);
  });

  test("are counted on when anything else in the mesh changes, and anew when the policy does", () => {
    const before = meshOf({ ...CONSTRAINT });
    expect(budgetIn(before)?.takeRetry()).toBe(true);
    const other = exampleService({ name: "other", hostname: "other" });
    const later = meshOf({ ...CONSTRAINT }, before, other);
    expect(budgetIn(later)?.takeRetry()).toBe(false);
    expect(budgetIn(later, at(other))?.takeRetry()).toBe(true);
    expect(budgetIn(meshOf({ ...CONSTRAINT }, later))?.takeRetry()).toBe(true);
  });
});
