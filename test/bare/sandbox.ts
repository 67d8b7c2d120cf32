import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Where a command runs: in the sandbox itself, or in a network namespace that was added to it. */
export interface CommandOptions {
  readonly netns?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** As this user id, without the capabilities of root. */
  readonly asUser?: number;
}

/**
 * Mount, network and process namespaces of a test's own, as root or as an ordinary user. Everything that was made or started in
 * it ends with it, also when the test is killed.
 */
export class Sandbox {
  readonly #init: ChildProcess;
  readonly #started = new Set<Started>();
  #pid = 0;

  private constructor(init: ChildProcess) {
    this.#init = init;
  }

  static async open(): Promise<Sandbox> {
    const user = await userNamespace();
    const namespaces = [
      "--mount",
      "--propagation",
      "slave",
      "--net",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
    ];
    const script = "mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up && echo ready && exec cat";
    const init = spawn("setpriv", ["--pdeathsig", "KILL", "unshare", ...user, ...namespaces, "sh", "-c", script], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(init.stdout, "data");
    const sandbox = new Sandbox(init);
    const { stdout } = await run("ps", ["-o", "pid=", "--ppid", String(init.pid)]);
    sandbox.#pid = Number(stdout.trim());
    return sandbox;
  }

  /** Whether the sandbox has more than one user id. */
  get isRoot(): boolean {
    return process.getuid?.() === 0;
  }

  /** Runs a command to its end. @returns what it wrote on stdout. @throws Error with what it wrote on stderr */
  async run(command: readonly string[], options: CommandOptions = {}): Promise<string> {
    const [program = "", ...args] = this.#inside(command, options);
    const { stdout } = await run(program, args, { env: environment(options), maxBuffer: MAX_OUTPUT_BYTES });
    return stdout;
  }

  /** Starts a command. It ends with the sandbox at the latest. */
  start(command: readonly string[], options: CommandOptions = {}): Started {
    const [program = "", ...args] = this.#inside(command, options);
    const started = new Started(spawn(program, args, { env: environment(options), cwd: "/" }));
    this.#started.add(started);
    return started;
  }

  /** Process ids, as the sandbox counts them, of what runs with this in its command line. */
  async pids(words: string): Promise<readonly number[]> {
    const output = await this.run(["sh", "-c", 'pgrep -f "$0" || true', `^[^ ]*/node .*${words}`]);
    return output.trim() === "" ? [] : output.trim().split("\n").map(Number);
  }

  /** Sends a signal to all of them. */
  async signal(words: string, signal: "STOP" | "CONT" | "KILL"): Promise<void> {
    const pids = await this.pids(words);
    if (pids.length === 0) throw new Error(`nothing runs that has ${words} in its command line`);
    await this.run(["kill", `-${signal}`, ...pids.map(String)]);
  }

  /** Ends everything in it. Resolves when nothing is left that could write a file. */
  async close(): Promise<void> {
    if (this.#init.exitCode !== null || this.#init.signalCode !== null) return;
    const ended = once(this.#init, "exit");
    // nsenter has stopped itself if its command was stopped, and would not see it end.
    for (const started of this.#started) started.kill();
    // The first process of its process namespace is gone only when all others are; then `unshare` ends.
    this.#init.stdin?.end();
    await ended;
  }

  /** The command line that enters the sandbox first. */
  #inside(command: readonly string[], { netns, asUser }: CommandOptions): readonly string[] {
    return [
      "nsenter",
      `--target=${this.#pid}`,
      ...(this.isRoot ? [] : ["--user", "--preserve-credentials"]),
      "--mount",
      "--net",
      "--pid",
      "--",
      // nsenter stays as the parent: without this the command would outlive it.
      "setpriv",
      "--pdeathsig",
      "KILL",
      "--",
      ...(netns === undefined ? [] : ["nsenter", `--net=/run/netns/${netns}`, "--"]),
      ...(asUser === undefined
        ? []
        : ["setpriv", "--reuid", String(asUser), "--clear-groups", "--bounding-set=-all", "--"]),
      ...command,
    ];
  }
}

/** How an ordinary user becomes root of a namespace: with more user ids where some are set aside for him. */
const userNamespace = async (): Promise<readonly string[]> => {
  if (process.getuid?.() === 0) return [];
  const mapped = ["-Ur", "--map-auto"];
  return await run("unshare", [...mapped, "true"]).then(
    () => mapped,
    () => ["-Ur"],
  );
};

const MAX_OUTPUT_BYTES = 64 * 2 ** 20;

/** With the folders of ip and nft in the search path, which an ordinary user's lacks. */
const environment = ({ env }: CommandOptions): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
  ...env,
});

/** A command that runs, and what it has written so far. */
export class Started {
  readonly #child: ChildProcess;
  #output = "";

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdin?.on("error", () => undefined);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.#output += text));
    }
  }

  get output(): string {
    return this.#output;
  }

  /** The lines that are JSON. */
  get lines(): readonly Readonly<Record<string, unknown>>[] {
    return this.#output
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Ends what it reads, after this. */
  endInput(last = ""): void {
    this.#child.stdin?.end(last);
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#child.kill(signal);
  }
}
