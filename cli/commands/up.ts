import { randomUUID } from "node:crypto";
import { opendirSync, realpathSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { getuid } from "node:process";
import { type Command, Option } from "commander";
import { MAX_NODES } from "#local/addresses/address-plan.ts";
import { launchRuntime, type RuntimeEnd } from "#local/launch/launch-runtime.ts";
import { requireTools } from "#local/require-tools.ts";
import { MAX_WORKERS, type RuntimeSettings } from "#local/runtime-settings.ts";
import { UnixClient } from "#local/socket/unix-client.ts";
import type { UserMapping } from "#local/tools/kernel-abilities.ts";
import { commandLine, DEFAULT_MESH } from "#local/command-line.ts";
import { CliFailure, EXIT } from "../failure.ts";
import { exitCodeOf, Interruption } from "../interruption.ts";
import { type ChosenMesh, isUp, namedState, ownStateRoot } from "../mesh-choice.ts";
import { type OutputFormat, outputOption } from "../output/output-format.ts";
import { leafLifetime, LOG_LEVELS, namespace, trustDomain, wholeNumber } from "../up-options.ts";
import { UpReporter } from "../up-reporter.ts";
import { waitUntilReady } from "../wait-until-ready.ts";

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
  0  all was ready      1  it could not be started      3  up with -d, but not all of it is ready
  130  it was interrupted before it was up, and nothing of it is left`;

export const addUpCommand = (program: Command): void => {
  program
    .command("up")
    .description("start a mesh from a folder of Kubernetes YAML, on this machine")
    .argument("[dir]", "the folder with the objects", ".")
    .option("--name <name>", "what to call it; several may be up side by side", DEFAULT_MESH)
    .option("--nodes <count>", "how many nodes", wholeNumber(MAX_NODES), DEFAULT_NODES)
    .option("--workers <count>", "how many workers each node's proxy has", wholeNumber(MAX_WORKERS), DEFAULT_WORKERS)
    .option("-d, --detach", "leave it running in the background")
    .option("--root-namespace <namespace>", "policies in it concern the whole mesh", namespace, "istio-system")
    .option("--trust-domain <domain>", "of all identities", trustDomain, "cluster.local")
    .option("--leaf-lifetime <duration>", "how long certificates live, as in 24h", leafLifetime)
    .addOption(new Option("--log-level <level>", "of the mesh's own processes").choices(LOG_LEVELS).default("info"))
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
  const interruption = new Interruption(mesh, runtime, () => reporter.stopping());
  interruption.listen(isAttached);
  const waited = waitUntilReady({
    client: mesh.client,
    instance: settings.instance,
    exited: runtime.exited,
    timeoutMs: READY_TIMEOUT_MS,
    onStatus: (status, findings) => {
      if (interruption.signal === undefined) reporter.status(status, findings);
    },
  });
  const outcome = await Promise.race([waited, interruption.done]);
  if (outcome === undefined || interruption.signal !== undefined)
    return finishInterrupted(interruption, reporter, false);
  if (outcome.kind === "ended") return finish(outcome.end, options.name, reporter);
  reporter.outcome(outcome, isAttached);
  if (isAttached) {
    const end = await Promise.race([runtime.exited, interruption.done]);
    if (end === undefined || interruption.signal !== undefined) return finishInterrupted(interruption, reporter, true);
    return finish(end, options.name, reporter);
  }
  await mesh.client.close();
  if (outcome.kind === "unwell") process.exitCode = EXIT.unwell;
};

/** @throws CliFailure unless the mesh ended because somebody wanted it to */
const finish = (end: RuntimeEnd, name: string, reporter: UpReporter): void => {
  if (end.code === 0) {
    reporter.stopped();
    return;
  }
  if (end.said.includes("is up already")) throw alreadyUp(name);
  throw new CliFailure(`mesh ${name} has ended: ${end.reason}${end.said === "" ? "" : `\n${end.said}`}`);
};

/** However the mesh ends now, somebody wanted it to. */
const finishInterrupted = async (
  interruption: Interruption,
  reporter: UpReporter,
  wasReady: boolean,
): Promise<void> => {
  await interruption.done;
  reporter.stopped();
  const { signal = "SIGINT" } = interruption;
  process.exitCode = wasReady && signal !== "SIGPIPE" ? EXIT.done : exitCodeOf(signal);
};

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

/** @throws CliFailure unless it is a folder that can be read */
const objectsFolder = (dir: string): string => {
  try {
    opendirSync(dir).closeSync();
    return realpathSync(dir);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliFailure(
      code === "ENOTDIR" ? `${dir} is not a folder` : `${dir} is no folder with objects: ${message}`,
      { exitCode: EXIT.usage, hint: "name the folder that holds the YAML files, as in heddle up examples/first-mesh" },
    );
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
    hint: `${commandLine(name, "status")}; or ${commandLine(name, "down")}; or choose another --name`,
  });
