import { setTimeout as delay } from "node:timers/promises";
import { CliFailure } from "#cli/failure.ts";
import { cpuSinceUs, readCpu } from "./cpu-time.ts";
import { parseH2loadOutput } from "./h2load-output.ts";
import type { Measure } from "./measure.ts";
import { runInPod } from "./pod-command.ts";
import { AFTERMATH_MS, WARM_UP_SECONDS } from "./requests.ts";

/** Of a unary call of gRPC; the answer is nginx's, without trailers. */
const FIELDS = [
  "content-type: application/grpc",
  "te: trailers",
  "grpc-timeout: 1S",
  "user-agent: grpc-node-js/1.14.7",
  "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
];

/** Small requests on streams of a few HTTP/2 connections. */
export const streams: Measure = {
  title: "HTTP/2 requests",
  warmUpSeconds: WARM_UP_SECONDS,
  isFor: (way) => !way.isBulkOnly,
  run: async ({ seconds, note }, way) => {
    const url = `http://${way.http2.host}:${way.http2.port}${way.paths.http2}`;
    const fields = FIELDS.map((field) => `--header=${field}`);
    const shape = ["--clients=8", "--max-concurrent-streams=8", "--threads=1", `--duration=${seconds}`];
    const before = readCpu(await way.processes());
    const report = parseH2loadOutput(
      await runInPod(way.mesh, way.client, ["h2load", ...shape, ...fields, url], seconds),
    );
    await delay(AFTERMATH_MS);
    const cpuUs = cpuSinceUs(before);
    if (!report.ok) throw new CliFailure(report.error);
    const { succeeded, failed, perSecond } = report.value;
    if (succeeded === 0) throw new CliFailure(`no HTTP/2 request was answered, ${failed} failed`);
    if (failed > 0) note(`${way.name}: ${failed} HTTP/2 requests failed`);
    return { streams: perSecond, ...(before.used.size > 0 && { "stream-cpu": cpuUs / succeeded }) };
  },
};
