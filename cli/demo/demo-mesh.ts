import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { UnixClient } from "#local/socket/unix-client.ts";
import type { StateFolder } from "#local/state/state-folder.ts";
import type { NodeReport, PodReport, RuntimeStatus } from "#local/status.ts";
import { execInPod } from "../exec-connection.ts";
import { CliFailure } from "../failure.ts";
import { isUp, namedState } from "../mesh-choice.ts";
import { TextSink } from "../output/text-sink.ts";
import { bringDown } from "../commands/down.ts";

const PROGRAM = dirname(dirname(import.meta.dirname));
const EXAMPLES = join(PROGRAM, "examples");
const MESH_LABEL = "    istio.io/dataplane-mode: ambient\n";

/** How long any step may take on a slow machine. */
const PATIENCE_MS = 30_000;
const LOOK_EVERY_MS = 100;

/** The mesh of the demo: `heddle up` on a copy of the first example, as anybody would start it. */
export class DemoMesh {
  readonly #name = `demo-${randomBytes(3).toString("hex")}`;
  readonly #objects = mkdtempSync(join(tmpdir(), "heddle-demo-"));
  readonly #state: StateFolder = namedState(this.#name);
  readonly client = new UnixClient(this.#state.socket);
  #child: ChildProcess | undefined;
  #said = "";

  constructor() {
    cpSync(join(EXAMPLES, "first-mesh"), this.#objects, { recursive: true });
    this.#edit("namespaces.yaml", (yaml) => yaml.replace(MESH_LABEL, "    {}\n"));
  }

  /** Starts it, and waits until every pod runs. */
  async up(): Promise<void> {
    const heddle = join(PROGRAM, "bin/heddle");
    const child = spawn(heddle, ["up", this.#objects, "--name", this.#name], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.#said += text));
    }
    await this.until(({ phase, pods }) => phase === "running" && pods.length > 0 && pods.every(({ ready }) => ready));
  }

  /** Puts the label on the namespace: its pods are in the mesh from now on. */
  async join(): Promise<void> {
    this.#edit("namespaces.yaml", (yaml) => yaml.replace("    {}\n", MESH_LABEL));
    await this.until(({ pods, nodes }) =>
      pods
        .filter(({ namespace }) => namespace === "shop")
        .every(({ uid, enrolled }) => enrolled && isServed(nodes, uid)),
    );
  }

  /** Lets only callers with an identity in. */
  closeToStrangers(): void {
    cpSync(join(EXAMPLES, "first-mesh-strict/strict.yaml"), join(this.#objects, "strict.yaml"));
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
    for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline;) {
      if (this.#child?.exitCode != null) break;
      const status = await this.client.json<RuntimeStatus>("/status");
      if (status.ok && condition(status.value)) return status.value;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    throw new CliFailure(`the mesh is not as it should be after ${PATIENCE_MS / 1000} s\n${this.#said}`);
  }

  /** Runs a program in a pod. @returns what it wrote */
  async exec(key: string, ...command: readonly string[]): Promise<string> {
    const [namespace = "", pod = ""] = key.split("/");
    const stdout = new TextSink();
    const start = { namespace, pod, command, stdin: false };
    await execInPod(this.#state.socket, start, { stdin: undefined, stdout, stderr: stdout });
    return stdout.text.trim();
  }

  /** The access log of a node. */
  accessLog(node: string): readonly Readonly<Record<string, string>>[] {
    return readFileSync(join(this.#state.logs, `${node}.log`), "utf8")
      .split("\n")
      .filter((line) => line.includes('"log":"access"'))
      .map((line) => JSON.parse(line) as Readonly<Record<string, string>>);
  }

  async killWorker(node: string, index: number): Promise<void> {
    const body = { node, role: "worker", index, signal: "SIGKILL" };
    const killed = await this.client.json("/signal", { method: "POST", body });
    if (!killed.ok) throw new CliFailure(`worker ${index} of ${node} cannot be killed: ${killed.error}`);
  }

  /** Takes everything away, whatever state it is in. */
  async down(): Promise<void> {
    if (await isUp(this.#state)) await bringDown({ name: this.#name, state: this.#state, client: this.client });
    this.#child?.kill("SIGTERM");
    await this.client.close();
    rmSync(this.#objects, { recursive: true, force: true });
    rmSync(this.#state.root, { recursive: true, force: true });
  }

  #edit(file: string, change: (yaml: string) => string): void {
    const path = join(this.#objects, file);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  }
}

const isServed = (nodes: readonly NodeReport[], uid: string | undefined): boolean =>
  nodes.some(({ agent }) => agent?.pods.some((pod) => pod.uid === uid && pod.capture === "captured") === true);
