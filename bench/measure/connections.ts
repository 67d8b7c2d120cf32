import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CliFailure } from "#cli/failure.ts";
import { cpuSinceUs, readCpu } from "./cpu-time.ts";
import type { Measure } from "./measure.ts";
import { runInPod } from "./pod-command.ts";
import { AFTERMATH_MS, WARM_UP_SECONDS } from "./requests.ts";

const PROGRAM = join(import.meta.dirname, "../programs/connections.ts");
const CALLERS = 16;
/** A client has 28,000 ports, and each stays taken for a minute where it closes first. */
const MOST = 20_000;

/** What bench/programs/connections.ts prints. */
interface Counts {
  readonly answered: number;
  readonly failed: number;
  readonly elapsedMs: number;
}

/** Connections that each carry one request: connect, ask, read the answer, close. */
export const connections: Measure = {
  title: "new connections",
  warmUpSeconds: WARM_UP_SECONDS,
  isFor: (way) => !way.isBulkOnly,
  run: async ({ seconds, note }, way) => {
    const { host, port } = way.http;
    const command = ["node", PROGRAM, host, ...[port, seconds, CALLERS, MOST].map(String)];
    const before = readCpu(await way.processes());
    const counts = JSON.parse(await runInPod(way.mesh, way.client, command, seconds)) as Counts;
    await delay(AFTERMATH_MS);
    const cpuUs = cpuSinceUs(before);
    if (counts.answered === 0) throw new CliFailure(`no connection was answered, ${counts.failed} failed`);
    if (counts.failed > 0)
      note(`${way.name}: ${counts.failed} of ${counts.answered + counts.failed} new connections failed`);
    return {
      connections: counts.answered / (counts.elapsedMs / 1000),
      ...(before.used.size > 0 && { "connection-cpu": cpuUs / counts.answered }),
    };
  },
};
