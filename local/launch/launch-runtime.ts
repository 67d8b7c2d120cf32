import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RUNTIME_LOG } from "../processes/log-folder.ts";
import { type RuntimeSettings, runtimeEnvironment } from "../runtime-settings.ts";
import { searchPath } from "../processes/search-path.ts";
import type { StateFolder } from "../state/state-folder.ts";
import { runtimeCommand, type RuntimePlacement } from "./runtime-command.ts";

/** A runtime that was started. */
export interface LaunchedRuntime {
  readonly pid: number;
  /** How it ended, and what it said meanwhile. */
  readonly exited: Promise<RuntimeEnd>;
  /** Ends it with everything in it, at once. */
  kill(): void;
}

export interface RuntimeEnd {
  /** 0: it was asked to end. */
  readonly code: number | undefined;
  readonly reason: string;
  readonly said: string;
}

/**
 * Starts a runtime in namespaces of its own. It is the leader of a session of its own too, so that Ctrl-C reaches whoever
 * started it and not the pods.
 */
export const launchRuntime = (
  settings: RuntimeSettings,
  state: StateFolder,
  placement: RuntimePlacement,
): LaunchedRuntime => {
  mkdirSync(state.logs, { recursive: true, mode: 0o700 });
  const logPath = join(state.logs, `${RUNTIME_LOG}.log`);
  const log = openSync(logPath, "a", 0o600);
  const logStart = fstatSync(log).size;
  const [program, ...args] = runtimeCommand(placement);
  const child = spawn(program, args, {
    env: { PATH: searchPath(process.env.PATH), ...runtimeEnvironment(settings), ...compileCache() },
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  if (!placement.attached) child.unref();
  return { pid: child.pid ?? 0, exited: endOf(child, logPath, logStart), kill: () => child.kill("SIGKILL") };
};

const endOf = (child: ChildProcess, logPath: string, logStart: number): Promise<RuntimeEnd> =>
  new Promise((resolve) => {
    const said = (): string => readFileSync(logPath).subarray(logStart).toString("utf8").trim();
    child.once("error", ({ message }) => resolve({ code: undefined, reason: message, said: "" }));
    child.once("exit", (code, signal) => {
      resolve({ code: code ?? undefined, reason: signal ?? `exit code ${code}`, said: said() });
    });
  });

const compileCache = (): Readonly<Record<string, string>> => {
  const folder = process.env.NODE_COMPILE_CACHE;
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
};
