import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { closeDescriptors, DescriptorSender, makeChannel } from "../channel/descriptor-channel.ts";
import { type AgentMessage, encodeMessage, type WorkerMessage } from "../channel/message.ts";
import type { Log } from "./log.ts";

/** A program to run without privileges. */
export interface ConfinedProgram {
  /** What it is called in the log. */
  readonly title: string;
  /** Path of the entry file below the program tree. */
  readonly entry: string;
  readonly program: string;
  /** Undefined: keep the user id, because no other is mapped. */
  readonly uid: number | undefined;
  /** False: a network namespace of its own, with nothing in it. */
  readonly hasNetwork: boolean;
  readonly maxHeapMb: number;
  readonly cacheDir: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** How much a child may say on stderr, as JSON lines that we write, so that it cannot forge lines of others. */
const MAX_STDERR_BYTES_PER_MINUTE = 65_536;

/**
 * A child process without privileges: own user, no capability, no_new_privs, no way to new ones, no network where it needs
 * none, an environment that we chose, no debugger, no code from strings.
 */
export class ConfinedProcess {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #sender: DescriptorSender;
  readonly #bell: Socket;

  /**
   * @param onExit called once, with why
   * @throws Error if it cannot be started at all
   */
  constructor(program: ConfinedProgram, log: Log, onExit: (reason: string) => void) {
    const { near, far } = makeChannel();
    this.#bell = new Socket({ fd: near.bell });
    this.#bell.on("error", () => undefined);
    try {
      this.#child = spawn(UNPRIVILEGED[0], confinedCommand(program), {
        stdio: ["ignore", program.hasNetwork ? "inherit" : "ignore", "pipe", far.bell, far.packets],
        env: { ...program.environment, ...compileCache(program), HEDDLE_SUPERVISOR_PID: String(process.pid) },
        cwd: "/",
      });
    } catch (error) {
      closeDescriptors([near.packets]);
      this.#bell.destroy();
      throw error;
    } finally {
      closeDescriptors([far.bell, far.packets]);
    }
    this.pid = this.#child.pid ?? -1;
    this.#sender = new DescriptorSender(near, this.#bell, (reason) => {
      log("error", `${program.title} does not read what the supervisor sends; ending it`, { reason });
      this.kill();
    });
    relayStderr(this.#child, program.title, log);
    let ended = false;
    const end = (reason: string): void => {
      if (ended) return;
      ended = true;
      this.#sender.close();
      onExit(reason);
    };
    this.#child.on("error", (error) => end(error.message));
    this.#child.on("exit", (code, signal) => end(signal ?? `exit code ${code}`));
  }

  /** Sends a message; its descriptors belong to the child from now on. */
  send(message: WorkerMessage | AgentMessage, descriptors: readonly number[] = []): void {
    this.#sender.send(encodeMessage(message, descriptors));
  }

  /** Bytes that the child writes on its bell. */
  onBytes(listener: (bytes: Uint8Array) => void): void {
    this.#bell.on("data", listener);
  }

  /** Closes its channel: it ends when it has said what it had to say. */
  end(): void {
    this.#sender.close();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

const UNPRIVILEGED = ["prlimit", "--core=0:0"] as const;

/** The arguments after `prlimit`: what makes a process unprivileged, then Node.js with what makes it harder to abuse. */
const confinedCommand = ({ uid, hasNetwork, maxHeapMb, program, entry }: ConfinedProgram): readonly string[] => [
  ...UNPRIVILEGED.slice(1),
  "--",
  ...(hasNetwork ? [] : ["unshare", "--net", "--"]),
  "setpriv",
  ...(uid === undefined ? [] : ["--reuid", String(uid), "--regid", String(uid), "--clear-groups"]),
  "--no-new-privs",
  "--bounding-set=-all",
  "--inh-caps=-all",
  "--ambient-caps=-all",
  "--",
  process.execPath,
  "--disable-sigusr1",
  "--disable-proto=throw",
  "--disallow-code-generation-from-strings",
  "--report-exclude-env",
  "--disable-warning=ExperimentalWarning",
  `--max-old-space-size=${maxHeapMb}`,
  join(program, entry),
];

/** A compile cache that only its own user can write: whoever could write another's would run code there. */
const compileCache = ({ cacheDir, uid }: ConfinedProgram): Readonly<Record<string, string>> => {
  if (cacheDir === undefined) return {};
  const directory = join(cacheDir, String(uid ?? process.getuid?.() ?? 0));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (uid !== undefined) chownSync(directory, uid, uid);
  chmodSync(directory, 0o700);
  return { NODE_COMPILE_CACHE: directory };
};

const relayStderr = (child: ChildProcess, title: string, log: Log): void => {
  let allowance = MAX_STDERR_BYTES_PER_MINUTE;
  const refill = setInterval(() => (allowance = MAX_STDERR_BYTES_PER_MINUTE), 60_000);
  // Also comes where it could not be started at all.
  child.on("close", () => clearInterval(refill));
  child.stderr?.on("data", (chunk: Buffer) => {
    if (allowance <= 0) return;
    allowance -= chunk.length;
    log("warn", `${title} wrote on stderr`, { stderr: chunk.toString().trimEnd() });
  });
};
