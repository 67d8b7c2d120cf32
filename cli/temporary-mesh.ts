import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { UnixClient } from "#local/socket/unix-client.ts";
import type { StateFolder } from "#local/state/state-folder.ts";
import type { NodeReport, PodReport, RuntimeStatus } from "#local/status.ts";
import { bringDown } from "./commands/down.ts";
import { execInPod } from "./exec-connection.ts";
import { CliFailure } from "./failure.ts";
import { isUp, namedState } from "./mesh-choice.ts";
import { TextSink } from "./output/text-sink.ts";

const PROGRAM = dirname(import.meta.dirname);

/** How long any step may take on a slow machine. */
const PATIENCE_MS = 30_000;
const LOOK_EVERY_MS = 100;

/** A mesh for as long as a program needs it: `heddle up` on a folder of its own, as anybody would start it. */
export class TemporaryMesh {
  /** The folder with the declared objects. */
  readonly objects: string;
  readonly state: StateFolder;
  readonly client: UnixClient;
  readonly #name: string;
  readonly #patienceMs: number;
  #child: ChildProcess | undefined;
  #said = "";

  /**
   * @param purpose begins its name and that of its folder
   * @param patienceMs how long any step may take
   */
  constructor(purpose: string, patienceMs = PATIENCE_MS) {
    this.#patienceMs = patienceMs;
    this.#name = `${purpose}-${randomBytes(3).toString("hex")}`;
    this.objects = mkdtempSync(join(tmpdir(), `heddle-${purpose}-`));
    this.state = namedState(this.#name);
    this.client = new UnixClient(this.state.socket);
  }

  /** The process that everything in it descends from; undefined while it is not up. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it, and waits until every pod runs. */
  async up(...options: readonly string[]): Promise<void> {
    const heddle = join(PROGRAM, "bin/heddle");
    const command = [heddle, "up", this.objects, "--name", this.#name, ...options];
    // It ends in order also when whoever needs it is killed.
    const child = spawn("setpriv", ["--pdeathsig", "TERM", ...command], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.#said += text));
    }
    await this.until(({ phase, pods }) => phase === "running" && pods.length > 0 && pods.every(({ ready }) => ready));
  }

  async status(): Promise<RuntimeStatus> {
    const status = await this.client.json<RuntimeStatus>("/status");
    if (status.ok) return status.value;
    throw new CliFailure(`the mesh does not answer: ${status.error}\n${this.#said}`);
  }

  async pod(key: string): Promise<PodReport> {
    const pod = (await this.status()).pods.find(({ namespace, name }) => `${namespace}/${name}` === key);
    if (!pod) throw new CliFailure(`there is no pod ${key}`);
    return pod;
  }

  /** Waits until the mesh is as it should be. @throws CliFailure with what it said if that takes too long */
  async until(condition: (status: RuntimeStatus) => boolean): Promise<RuntimeStatus> {
    for (const deadline = Date.now() + this.#patienceMs; Date.now() < deadline;) {
      if (this.#child?.exitCode != null) break;
      const status = await this.client.json<RuntimeStatus>("/status");
      if (status.ok && condition(status.value)) return status.value;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    throw new CliFailure(`the mesh is not as it should be after ${this.#patienceMs / 1000} s\n${this.#said}`);
  }

  /** Waits until all pods of a namespace are captured and served. */
  async untilCaptured(wanted: string): Promise<void> {
    await this.until(({ pods, nodes }) =>
      pods
        .filter(({ namespace }) => namespace === wanted)
        .every(({ uid, enrolled }) => enrolled && isServed(nodes, uid)),
    );
  }

  /** Runs a program in a pod. @returns what it wrote */
  async exec(key: string, ...command: readonly string[]): Promise<string> {
    const [namespace = "", pod = ""] = key.split("/");
    const stdout = new TextSink();
    const start = { namespace, pod, command, stdin: false };
    await execInPod(this.state.socket, start, { stdin: undefined, stdout, stderr: stdout });
    return stdout.text.trim();
  }

  /** Changes an object's file. */
  edit(file: string, change: (yaml: string) => string): void {
    const path = join(this.objects, file);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  }

  /** Ends it; what it keeps for the next time stays. */
  async stop(): Promise<void> {
    const client = new UnixClient(this.state.socket);
    if (await isUp(this.state)) await bringDown({ name: this.#name, state: this.state, client });
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || hasEnded(child)) return;
    child.kill("SIGTERM");
    const killed = setTimeout(() => child.kill("SIGKILL"), this.#patienceMs);
    await once(child, "exit");
    clearTimeout(killed);
  }

  /** Takes everything away, whatever state it is in. */
  async down(): Promise<void> {
    await this.stop();
    await this.client.close();
    rmSync(this.objects, { recursive: true, force: true });
    rmSync(this.state.root, { recursive: true, force: true });
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

const isServed = (nodes: readonly NodeReport[], uid: string | undefined): boolean =>
  nodes.some(({ agent }) => agent?.pods.some((pod) => pod.uid === uid && pod.capture === "captured") === true);
