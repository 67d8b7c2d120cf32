/** What Heddle is allowed, against the yardstick in the same run or as such. */
export type Budget =
  | { readonly kind: "ratio"; readonly atMost: number }
  | { readonly kind: "ratio"; readonly atLeast: number }
  | { readonly kind: "value"; readonly atMost: number };

/** One line of the table. */
export interface Metric {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly budget?: Budget;
  /** Whether a ratio to the yardstick would say nothing. */
  readonly isAbsolute?: boolean;
}

/** Connections of the load that asks for small answers. */
export const LOADS = [1, 16, 64] as const;

const requests = (connections: number): readonly Metric[] => [
  { id: `requests-${connections}`, title: `requests, ${connections} kept`, unit: "/s" },
  {
    id: `request-cpu-${connections}`,
    title: `CPU for a request, ${connections} kept`,
    unit: "us",
    // With one connection nothing comes together, so nothing can be gathered: latency is what counts there.
    ...(connections > 1 && { budget: { kind: "ratio", atMost: 0.7 } as const }),
  },
  {
    id: `p50-${connections}`,
    title: `latency p50, ${connections} kept`,
    unit: "us",
    ...(connections === 1 && { budget: { kind: "ratio", atMost: 1 } as const }),
  },
  { id: `p99-${connections}`, title: `latency p99, ${connections} kept`, unit: "us" },
];

/** In the order of the table. */
export const METRICS: readonly Metric[] = [
  ...LOADS.flatMap(requests),
  { id: "streams", title: "HTTP/2 requests, 8 x 8 streams", unit: "/s" },
  { id: "stream-cpu", title: "CPU for an HTTP/2 request", unit: "us", budget: { kind: "ratio", atMost: 1.3 } },
  { id: "connections", title: "new connections", unit: "/s" },
  {
    id: "connection-cpu",
    title: "CPU for a new connection",
    unit: "us",
    budget: { kind: "ratio", atMost: 2.5 },
  },
  { id: "bulk", title: "bulk", unit: "Gbit/s", budget: { kind: "ratio", atLeast: 0.5 } },
  { id: "bulk-cpu", title: "CPU for bulk", unit: "s/GiB" },
  {
    id: "idle-connection",
    title: "idle connection, both nodes",
    unit: "KiB",
    budget: { kind: "value", atMost: 20 },
    isAbsolute: true,
  },
  { id: "idle-connection-client", title: "  on the client's node", unit: "KiB", isAbsolute: true },
  { id: "idle-connection-server", title: "  on the server's node", unit: "KiB", isAbsolute: true },
  { id: "idle-passing", title: "  captured, passing in clear", unit: "KiB", isAbsolute: true },
  { id: "idle-stream", title: "  of it the tunnel, one side, by PSS", unit: "KiB", isAbsolute: true },
];

/** Idle supervisor, agent and one worker of a node together. */
export const NODE_MEMORY_BUDGET_MIB = 170;
