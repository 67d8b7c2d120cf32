import { forbidRings } from "../kernel/confinement.ts";
import { forbidDumps } from "../kernel/hardening.ts";
import { OPEN_FILES_REMEDY } from "../kernel/open-files.ts";
import { keepSpareDescriptors } from "../kernel/spare-descriptors.ts";
import { stdoutLog } from "./log.ts";
import { readSettings } from "./settings.ts";
import { Supervisor } from "./supervisor.ts";

/** The supervisor: the one privileged process of a node. It speaks no network protocol. */
const main = async (): Promise<void> => {
  forbidDumps();
  forbidRings();
  const settings = readSettings(process.env);
  const log = stdoutLog({ process: "supervisor", node: settings.node });
  keepSpareDescriptors((what) => {
    if (what === "enough") log("info", "the supervisor has file descriptors again");
    else
      log(
        "error",
        `no file descriptor is left: pods cannot be enrolled or call, workers not start; ${OPEN_FILES_REMEDY}`,
      );
  });
  let supervisor: Supervisor | undefined;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      log("info", "supervisor is stopping", { signal });
      supervisor?.stop();
      process.exit(0);
    });
  }
  supervisor = await Supervisor.start(settings, log, () => performance.now());
  log("info", "supervisor is up", { pid: process.pid, workers: settings.workers });
};

try {
  await main();
} catch (error) {
  process.stderr.write(`heddle supervisor: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
