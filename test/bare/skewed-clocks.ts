import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BareNode } from "./bare-node.ts";

/** Where distributions put the library; Debian's has a folder for each architecture. */
const LIBRARIES = ["x86_64-linux-gnu/", "aarch64-linux-gnu/", ""].map(
  (folder) => `/usr/lib/${folder}faketime/libfaketime.so.1`,
);

/** The library leaves a file in /dev/shm for each process, named after its id: not on the machine, where others have that id. */
const MOUNTS = `mount -t tmpfs -o mode=1777 tmpfs /dev/shm &&
  program=$(command -v prlimit) && cp "$program" "$0" && mount --bind "$1" "$program"`;

/** Whose clock it is: that of agent and workers, or that of the control plane. */
export type ClockOwner = "node" | "control-plane";

/**
 * Clocks of a bare node that a test sets. The library is preloaded: for the control plane by its environment; agent and workers
 * take nothing from theirs, so that in the sandbox's own mounts a script stands in for the program that starts them.
 */
export class SkewedClocks {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Before anything is started. @throws Error that says what to install */
  static async install({ directory, sandbox }: BareNode): Promise<SkewedClocks> {
    const clocks = new SkewedClocks(join(directory, "clocks"));
    mkdirSync(clocks.#folder);
    clocks.set("node", 0);
    clocks.set("control-plane", 0);
    const [real, standIn] = [join(clocks.#folder, "real-prlimit"), join(clocks.#folder, "prlimit")];
    writeFileSync(standIn, standInScript(real, clocks.prefix("node")), { mode: 0o755 });
    await sandbox.run(["sh", "-c", MOUNTS, real, standIn]);
    return clocks;
  }

  /** Begins a command with the library. Only the time of day is another: timers go on as they were. */
  prefix(owner: ClockOwner): readonly string[] {
    const library = LIBRARIES.find(existsSync);
    if (library === undefined) throw new Error("libfaketime is missing: install the package faketime");
    const file = join(this.#folder, owner);
    return [
      "env",
      `LD_PRELOAD=${library}`,
      `FAKETIME_TIMESTAMP_FILE=${file}`,
      "FAKETIME_NO_CACHE=1",
      "DONT_FAKE_MONOTONIC=1",
    ];
  }

  /**
   * Sets a clock so many seconds ahead of the real one, or behind; at once, also for what runs already, except for workers: the
   * next one has it.
   */
  set(owner: ClockOwner, seconds: number): void {
    writeFileSync(join(this.#folder, owner), `${seconds < 0 ? "" : "+"}${seconds}\n`);
  }
}

/**
 * Starts the same as prlimit, and Node.js at the end of the command with the library: under the user that it has by then. A worker
 * may open no file once it runs: it keeps the clock that was set when it started.
 */
const standInScript = (
  real: string,
  [env = "", library = "", file = "", ...rest]: readonly string[],
): string => `#!/bin/sh
case "$*" in
  */worker/main.ts*) clock="FAKETIME=$(cat ${file.slice(file.indexOf("=") + 1)})" ;;
  *) clock="${file}" ;;
esac
for word do
  shift
  case "$word" in
    */node) set -- "$@" ${env} ${library} "$clock" ${rest.join(" ")} "$word" ;;
    *) set -- "$@" "$word" ;;
  esac
done
exec ${real} "$@"
`;
