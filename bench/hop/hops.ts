import { parseH2loadOutput } from "../measure/h2load-output.ts";
import { parseWrkOutput } from "../measure/wrk-output.ts";

/** One hop that is measured. */
export interface Hop {
  readonly id: string;
  readonly title: string;
  readonly isHttp2: boolean;
  /** Our forwarder, in test/programs. */
  readonly program: string;
  readonly load: (url: string, seconds: number) => readonly [string, ...string[]];
  /** How many requests were answered, from what the load program prints; undefined where some were not. */
  readonly answered: (output: string) => number | undefined;
}

/** What a gRPC client sends with every request. */
const GRPC_FIELDS = [
  "content-type: application/grpc",
  "te: trailers",
  "grpc-timeout: 1S",
  "grpc-accept-encoding: gzip",
  "user-agent: grpc-go/1.72.0",
];

export const HOPS: readonly Hop[] = [
  {
    id: "http2-hop",
    title: "HTTP/2, 8 connections with 8 streams, gRPC's fields",
    isHttp2: true,
    program: "http2-forwarder.ts",
    load: (url, seconds) => [
      "h2load",
      "--clients=8",
      "--max-concurrent-streams=8",
      `--duration=${seconds}`,
      ...GRPC_FIELDS.map((field) => `--header=${field}`),
      url,
    ],
    answered: (output) => {
      const report = parseH2loadOutput(output);
      return report.ok && report.value.failed === 0 ? report.value.succeeded : undefined;
    },
  },
  {
    id: "http1-hop",
    title: "HTTP/1.1, 16 connections",
    isHttp2: false,
    program: "http1-forwarder.ts",
    load: (url, seconds) => ["wrk", "--threads=1", "--connections=16", `--duration=${seconds}s`, "--latency", url],
    answered: (output) => {
      const report = parseWrkOutput(output);
      return report.ok && report.value.errors === 0 ? report.value.requests : undefined;
    },
  },
];
