import { setTimeout as delay } from "node:timers/promises";
import { CliFailure } from "#cli/failure.ts";
import { cpuSinceUs, readCpu } from "./cpu-time.ts";
import type { Measure } from "./measure.ts";
import { runInPod } from "./pod-command.ts";
import { parseWrkOutput } from "./wrk-output.ts";

/** Small requests, one after another on each of so many connections that are kept. */
export const requests = (connections: number): Measure => ({
  title: `requests on ${connections} kept`,
  ...(connections >= MANY && { warmUpSeconds: WARM_UP_SECONDS }),
  isFor: (way) => !way.isBulkOnly,
  run: async ({ seconds, note }, way) => {
    const url = `http://${way.http.host}:${way.http.port}${way.paths.http}`;
    const wrk = ["wrk", "--threads=1", `--connections=${connections}`, `--duration=${seconds}s`, "--latency", url];
    const before = readCpu(await way.processes());
    const report = parseWrkOutput(await runInPod(way.mesh, way.client, wrk, seconds));
    await delay(AFTERMATH_MS);
    const cpuUs = cpuSinceUs(before);
    if (!report.ok) throw new CliFailure(report.error);
    const { requests, p50Us, p99Us, errors } = report.value;
    if (requests === 0) throw new CliFailure(`no request was answered, ${errors} failed`);
    if (errors > 0) note(`${way.name}: ${errors} errors with ${connections} connections`);
    return {
      [`requests-${connections}`]: requests / report.value.seconds,
      ...(before.used.size > 0 && { [`request-cpu-${connections}`]: cpuUs / requests }),
      [`p50-${connections}`]: p50Us,
      [`p99-${connections}`]: p99Us,
    };
  },
});

/** Calls everything so often that others need no warm-up of their own. */
const MANY = 64;
/** Until the JIT compiler of a proxy has nothing left to do: beyond it the cost of a request stays the same. */
export const WARM_UP_SECONDS = 20;

/** What is left to do when the load has ended belongs to it: closing, counting, logging. */
export const AFTERMATH_MS = 200;
