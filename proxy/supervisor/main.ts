import { join } from "node:path";
import { forbidRings } from "../kernel/confinement.ts";
import { forbidDumps } from "../kernel/hardening.ts";
import { serveEnrolment } from "./enrolment-server.ts";
import { stdoutLog } from "./log.ts";
import { NodeProxy } from "./node-proxy.ts";
import { readSettings } from "./settings.ts";

/** The supervisor: the one privileged process of a node. It speaks no network protocol. */
const main = async (): Promise<void> => {
  forbidDumps();
  forbidRings();
  const settings = readSettings(process.env);
  const log = stdoutLog({ process: "supervisor", node: settings.node });
  const proxy = new NodeProxy(settings, log, () => performance.now());
  proxy.start();
  const server = await serveEnrolment(join(settings.runDir, "enrol.sock"), proxy, log);
  log("info", "supervisor is up", { pid: process.pid, workers: settings.workers });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      log("info", "supervisor is stopping", { signal });
      server.close();
      proxy.stop();
      process.exit(0);
    });
  }
};

try {
  await main();
} catch (error) {
  process.stderr.write(`heddle supervisor: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
