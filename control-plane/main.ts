import { join } from "node:path";
import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { systemClock } from "#mesh/clock.ts";
import { err } from "#mesh/result.ts";
import { FOLDER_SOURCE_DEFAULTS, FolderSource } from "./collect/folder-source.ts";
import { ControlPlane } from "./control-plane.ts";
import { createLog, errorText, type Log } from "./log.ts";
import { keepSpareDescriptors } from "./spare-descriptors.ts";
import { readSettings } from "./settings.ts";

/** A process that meets more unforeseen errors than this in its life is in no state to go on; whoever started it starts it again. */
const MAX_UNFORESEEN_ERRORS = 10;

/** What an operator does about it. */
const OPEN_FILES_REMEDY =
  "raise the limit of open files of the control plane (LimitNOFILE of its unit, ulimit -n); what is in force stays";

// grpc-js writes to standard error, in a form of its own, what it also answers its callers.
setLogVerbosity(logVerbosity.NONE);

const run = async (): Promise<void> => {
  const settings = readSettings(process.env);
  const log = createLog(settings.ok ? settings.value.logLevel : "info");
  if (!settings.ok) {
    for (const problem of settings.error) log.error({}, `the control plane cannot start: ${problem}`);
    process.exitCode = 1;
    return;
  }
  surviveErrors(log);
  keepSpareDescriptors((what) => {
    if (what === "enough") log.info({}, "the control plane has file descriptors again");
    else log.error({}, `no file descriptor is left: no node can connect, no object be read; ${OPEN_FILES_REMEDY}`);
  });
  const source = new FolderSource(
    {
      ...FOLDER_SOURCE_DEFAULTS,
      ...settings.value,
      lastGoodDirectory: join(settings.value.authorityDirectory, "last-good"),
    },
    systemClock,
    log,
  );
  const started = await ControlPlane.start(settings.value, { source, clock: systemClock, log }).catch(
    (error: unknown) => err(errorText(error)),
  );
  if (started.ok) stopOnSignal(started.value, log);
  else {
    log.error({}, `the control plane cannot start: ${started.error}`);
    process.exitCode = 1;
  }
};

/** What one caller breaks must not end the service of the others. */
const surviveErrors = (log: Log): void => {
  let errors = 0;
  const survive = (error: unknown): void => {
    errors += 1;
    const stack = error instanceof Error ? error.stack : undefined;
    log.error({ error: errorText(error), stack }, "an error that nobody foresaw; please report it");
    if (errors >= MAX_UNFORESEEN_ERRORS) process.exit(1);
  };
  process.on("uncaughtException", survive);
  process.on("unhandledRejection", survive);
};

const stopOnSignal = (controlPlane: ControlPlane, log: Log): void => {
  let isStopping = false;
  const stop = (signal: string): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    log.info({ signal }, `stopping on ${signal}`);
    void controlPlane.stop().finally(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
};

await run();
