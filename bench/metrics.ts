/** One line of the table. */
export interface Metric {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** Whether a ratio would say nothing. */
  readonly isAbsolute?: boolean;
}

/** Connections of the load that asks for small answers. */
export const LOADS = [1, 16, 64] as const;

const requests = (connections: number): readonly Metric[] => [
  { id: `requests-${connections}`, title: `requests, ${connections} kept`, unit: "/s" },
  { id: `request-cpu-${connections}`, title: `CPU for a request, ${connections} kept`, unit: "us" },
  { id: `p50-${connections}`, title: `latency p50, ${connections} kept`, unit: "us" },
  { id: `p99-${connections}`, title: `latency p99, ${connections} kept`, unit: "us" },
];

/** In the order of the table. */
export const METRICS: readonly Metric[] = [
  ...LOADS.flatMap(requests),
  { id: "streams", title: "gRPC-like requests, 8 x 8 streams", unit: "/s" },
  { id: "stream-cpu", title: "CPU for a gRPC-like request", unit: "us" },
  { id: "connections", title: "new connections", unit: "/s" },
  { id: "connection-cpu", title: "CPU for a new connection", unit: "us" },
  { id: "bulk", title: "bulk", unit: "Gbit/s" },
  { id: "bulk-cpu", title: "CPU for bulk", unit: "s/GiB" },
  { id: "idle-connection", title: "idle connection, both nodes", unit: "KiB", isAbsolute: true },
  { id: "idle-connection-client", title: "  on the client's node", unit: "KiB", isAbsolute: true },
  { id: "idle-connection-server", title: "  on the server's node", unit: "KiB", isAbsolute: true },
  { id: "idle-passing", title: "  captured, passing in clear", unit: "KiB", isAbsolute: true },
  { id: "idle-stream", title: "  of it the tunnel, one side, by PSS", unit: "KiB", isAbsolute: true },
];
