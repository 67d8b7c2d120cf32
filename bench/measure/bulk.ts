import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { cpuSinceUs, readCpu } from "./cpu-time.ts";
import type { Measure } from "./measure.ts";
import { runInPod } from "./pod-command.ts";
import { AFTERMATH_MS } from "./requests.ts";

const PROGRAM = join(import.meta.dirname, "../programs/bulk.ts");
const GIB = 1024 ** 3;

/** What bench/programs/bulk.ts prints. */
interface Received {
  readonly bytes: number;
  readonly elapsedMs: number;
}

/** One connection that carries as much as it can from the server to the client. */
export const bulk: Measure = {
  title: "bulk",
  isFor: () => true,
  run: async ({ seconds }, way) => {
    const { host, port } = way.bytes;
    const before = readCpu(await way.processes());
    const command = ["node", PROGRAM, host, String(port), String(seconds), "/bulk"];
    const { bytes, elapsedMs } = JSON.parse(await runInPod(way.mesh, way.client, command, seconds)) as Received;
    await delay(AFTERMATH_MS);
    const cpuUs = cpuSinceUs(before);
    return {
      bulk: (bytes * 8) / (elapsedMs * 1e6),
      ...(before.used.size > 0 && { "bulk-cpu": cpuUs / 1e6 / (bytes / GIB) }),
    };
  },
};
