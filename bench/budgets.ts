import type { Comparison } from "./comparison.ts";

/**
 * What Heddle is allowed. With one connection nothing comes together, so nothing can be gathered: latency is what counts there,
 * and CPU time with more.
 */
export const MESH_COMPARISONS: readonly Comparison[] = [
  {
    subject: "heddle",
    yardstick: "haproxy",
    budgets: {
      "request-cpu-16": { kind: "ratio", atMost: 0.7 },
      "request-cpu-64": { kind: "ratio", atMost: 0.7 },
      "p50-1": { kind: "ratio", atMost: 1 },
      "stream-cpu": { kind: "ratio", atMost: 1.3 },
    },
  },
  {
    subject: "heddle-l4",
    yardstick: "haproxy",
    budgets: {
      "request-cpu-16": { kind: "ratio", atMost: 0.7 },
      "request-cpu-64": { kind: "ratio", atMost: 0.7 },
      "p50-1": { kind: "ratio", atMost: 1.1 },
      "connection-cpu": { kind: "ratio", atMost: 2.5 },
      bulk: { kind: "ratio", atLeast: 0.5 },
      "idle-connection": { kind: "value", atMost: 20 },
    },
  },
];

/** What many routes and endpoints may add. */
export const SCALE_COMPARISON: Comparison = {
  subject: "many",
  yardstick: "few",
  budgets: {
    "request-cpu-1": { kind: "ratio", atMost: 1.1 },
    "p50-1": { kind: "ratio", atMost: 1.1 },
    "request-cpu-16": { kind: "ratio", atMost: 1.1 },
    "p50-16": { kind: "ratio", atMost: 1.1 },
    "stream-cpu": { kind: "ratio", atMost: 1.1 },
  },
};

/** Idle supervisor, agent and one worker of a node together. */
export const NODE_MEMORY_BUDGET_MIB = 170;
