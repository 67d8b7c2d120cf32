import { randomUUID } from "node:crypto";
import { realpathSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { getuid } from "node:process";
import { type Command, InvalidArgumentError } from "commander";
import { parseDuration } from "#mesh/duration.ts";
import { parseTrustDomain } from "#mesh/spiffe-id.ts";
import { MAX_NODES } from "#local/addresses/address-plan.ts";
import { type LaunchedRuntime, launchRuntime, type RuntimeEnd } from "#local/launch/launch-runtime.ts";
import { requireTools } from "#local/require-tools.ts";
import { MAX_WORKERS, type RuntimeSettings } from "#local/runtime-settings.ts";
import { UnixClient } from "#local/socket/unix-client.ts";
import type { UserMapping } from "#local/tools/kernel-abilities.ts";
import { CliFailure, EXIT } from "../failure.ts";
import { type ChosenMesh, isUp, namedState, ownStateRoot } from "../mesh-choice.ts";
import { type OutputFormat, outputOption } from "../output/output-format.ts";
import { UpReporter } from "../up-reporter.ts";
import { waitUntilReady } from "../wait-until-ready.ts";
import { bringDown } from "./down.ts";

interface UpOptions {
  readonly name: string;
  readonly nodes: number;
  readonly workers: number;
  readonly detach?: true;
  readonly rootNamespace: string;
  readonly trustDomain: string;
  readonly leafLifetime?: string;
  readonly logLevel: string;
  readonly output: OutputFormat;
}

/** The project's own tree. */
const PROGRAM = dirname(dirname(import.meta.dirname));

/** Everything is ready within seconds; after this long it is better to say what is not. */
const READY_TIMEOUT_MS = 60_000;
const DEFAULT_NODES = 2;
const DEFAULT_WORKERS = Math.min(availableParallelism(), 4);

const EXAMPLES = `
Examples:
  heddle up examples/first-mesh              two nodes, until Ctrl-C
  heddle up examples/first-mesh -d           the same, in the background
  heddle up . --name blue --nodes 3          beside others, with three nodes
  heddle up . -o json                        one JSON object for each event

DIR holds the same YAML that a cluster takes; changing a file changes the mesh. Each container's command runs as a
process of this machine, and images are ignored. A pod chooses its node by spec.nodeName (node-1, node-2...) or by the
annotation local.heddle.dev/node, else it gets the node with the fewest pods.

Exit codes:
  0  all was ready      1  it could not be started      3  up with -d, but not all of it is ready`;

export const addUpCommand = (program: Command): void => {
  program
    .command("up")
    .description("start a mesh from a folder of Kubernetes YAML, on this machine")
    .argument("[dir]", "the folder with the objects", ".")
    .option("--name <name>", "what to call it; several may be up side by side", "default")
    .option("--nodes <count>", "how many nodes", wholeNumber(MAX_NODES), DEFAULT_NODES)
    .option("--workers <count>", "how many workers each node's proxy has", wholeNumber(MAX_WORKERS), DEFAULT_WORKERS)
    .option("-d, --detach", "leave it running in the background")
    .option("--root-namespace <namespace>", "policies in it concern the whole mesh", "istio-system")
    .option("--trust-domain <domain>", "of all identities", trustDomain, "cluster.local")
    .option("--leaf-lifetime <duration>", "how long certificates live, as in 24h", duration)
    .option("--log-level <level>", "of the mesh's own processes: debug, info, warn or error", "info")
    .addOption(outputOption())
    .addHelpText("after", EXAMPLES)
    .action(up);
};

const up = async (dir: string, options: UpOptions): Promise<void> => {
  const objects = objectsFolder(dir);
  const state = namedState(options.name);
  requireVisible("the folder with objects", objects);
  requireVisible("the program's folder", PROGRAM);
  requireVisible("the folder for state", state.root);
  if (await isUp(state)) throw alreadyUp(options.name);
  const isolation = await checkedIsolation();
  const settings = runtimeSettings(options, objects, isolation);
  const reporter = new UpReporter(options.output, options.name);
  reporter.starting(objects, options.nodes);
  const isAttached = options.detach !== true;
  const runtime = launchRuntime(settings, state, { program: PROGRAM, user: userOf(settings), attached: isAttached });
  const mesh: ChosenMesh = { name: options.name, state, client: new UnixClient(state.socket) };
  const interrupted = isAttached ? stopOnSignal(mesh, runtime, reporter) : undefined;
  const outcome = await waitUntilReady({
    client: mesh.client,
    instance: settings.instance,
    exited: runtime.exited,
    timeoutMs: READY_TIMEOUT_MS,
    onStatus: (status, findings) => reporter.status(status, findings),
  });
  if (outcome.kind === "ended") return finish(outcome.end, options.name, reporter);
  reporter.outcome(outcome, isAttached);
  if (isAttached) return finish(await Promise.race([runtime.exited, interrupted]), options.name, reporter);
  await mesh.client.close();
  if (outcome.kind === "unwell") process.exitCode = EXIT.unwell;
};

/** @throws CliFailure unless the mesh ended because somebody wanted it to */
const finish = (end: RuntimeEnd | undefined, name: string, reporter: UpReporter): void => {
  if (end === undefined || end.code === 0) {
    reporter.stopped();
    return;
  }
  if (end.said.includes("is up already")) throw alreadyUp(name);
  throw new CliFailure(`mesh ${name} has ended: ${end.reason}${end.said === "" ? "" : `\n${end.said}`}`);
};

/** Ctrl-C ends the mesh in order; pressed again, at once. */
const stopOnSignal = (mesh: ChosenMesh, runtime: LaunchedRuntime, reporter: UpReporter): Promise<undefined> =>
  new Promise((resolve, reject) => {
    let asked = false;
    const stop = (): void => {
      if (asked) return runtime.kill();
      asked = true;
      reporter.stopping();
      isUp(mesh.state)
        .then((up) => (up ? bringDown(mesh) : runtime.kill()))
        .then(() => resolve(undefined), reject);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  });

/** @throws CliFailure if the machine cannot run a mesh; what is missing was said by then */
const checkedIsolation = async (): Promise<UserMapping> => {
  const { shortcomings, isolation } = await requireTools(PROGRAM, (line) => process.stderr.write(`${line}\n`));
  if (shortcomings.length === 0) return isolation;
  throw new CliFailure("this machine cannot run a mesh as it is");
};

const runtimeSettings = (options: UpOptions, objects: string, isolation: UserMapping): RuntimeSettings => ({
  name: options.name,
  instance: randomUUID(),
  nodes: options.nodes,
  workers: options.workers,
  trustDomain: options.trustDomain,
  rootNamespace: options.rootNamespace,
  leafLifetime: options.leafLifetime,
  logLevel: options.logLevel,
  objects,
  stateRoot: ownStateRoot(),
  program: PROGRAM,
  asRoot: getuid?.() === 0,
  reducedIsolation: isolation.kind === "full" ? undefined : isolation.reason,
  controlPlane: process.env.HEDDLE_CONTROL_PLANE_PROGRAM ?? "control-plane/main.ts",
  supervisor: process.env.HEDDLE_SUPERVISOR_PROGRAM ?? "proxy/supervisor/main.ts",
});

const userOf = ({ asRoot, reducedIsolation }: RuntimeSettings): "root" | "mapped" | "single" => {
  if (asRoot) return "root";
  return reducedIsolation === undefined ? "mapped" : "single";
};

/** @throws CliFailure unless it is a folder */
const objectsFolder = (dir: string): string => {
  try {
    return realpathSync(`${dir}/.`);
  } catch (error) {
    throw new CliFailure(`${dir} is no folder with objects: ${(error as Error).message}`, { exitCode: EXIT.usage });
  }
};

/** @throws CliFailure if the mesh could not see a folder that it needs: it has a /run of its own */
const requireVisible = (what: string, path: string): void => {
  if (!`${path}/`.startsWith("/run/")) return;
  throw new CliFailure(`${what} ${path} cannot be seen by a mesh, which has a /run of its own`, {
    hint: "put it somewhere else",
  });
};

const alreadyUp = (name: string): CliFailure =>
  new CliFailure(`a mesh called ${name} is up already`, {
    hint: `heddle status --name ${name}; or heddle down --name ${name}; or choose another --name`,
  });

const wholeNumber =
  (max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < 1 || value > max) throw new InvalidArgumentError(`1 to ${max} are possible`);
    return value;
  };

const trustDomain = (text: string): string => {
  const parsed = parseTrustDomain(text);
  if (parsed.ok) return parsed.value;
  throw new InvalidArgumentError(parsed.error);
};

const duration = (text: string): string => {
  const parsed = parseDuration(text);
  if (parsed.ok) return text;
  throw new InvalidArgumentError(parsed.error);
};
