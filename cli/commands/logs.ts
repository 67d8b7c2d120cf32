import { setTimeout as delay } from "node:timers/promises";
import { existsSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { isAbout, parseAccessLog } from "#local/nodes/access-log.ts";
import { accessLogText } from "../access-log.ts";
import { commandLine } from "#local/command-line.ts";
import { CliFailure, EXIT } from "../failure.ts";
import { linesOf } from "../lines.ts";
import { type ChosenMesh, chooseMesh, isUp } from "../mesh-choice.ts";
import { type OutputFormat, outputOption, printJson, printText } from "../output/output-format.ts";
import { parsePodName } from "../pod-name.ts";

interface LogsOptions {
  readonly name?: string;
  readonly node?: string;
  readonly controlPlane?: true;
  readonly runtime?: true;
  readonly follow?: true;
  readonly tail?: number;
  readonly access?: string | true;
  readonly output: OutputFormat;
}

const EXAMPLES = `
Examples:
  heddle logs shop/web-0                        what the containers of a pod wrote
  heddle logs shop/web-0 -f --tail 10           its last ten lines, and then what it writes
  heddle logs --node node-1                     the proxy of a node
  heddle logs --node node-1 --access            its access log: requests and connections
  heddle logs --node node-1 --access shop/web   only of the pod or to the service shop/web
  heddle logs --control-plane
  heddle logs --runtime                         \`heddle up\` itself

With -f it ends with exit code 0 when the mesh is taken down, and with 1 when the mesh is lost.`;

export const addLogsCommand = (program: Command): void => {
  program
    .command("logs")
    .description("show the log of a pod, a node or the control plane")
    .argument("[pod]", "namespace and name of the pod, as in shop/web-0")
    .option("--name <name>", "which mesh, if several are up")
    .option("--node <node>", "the proxy of this node")
    .option("--control-plane", "the control plane")
    .option("--runtime", "the runtime that holds nodes and pods")
    .option("-f, --follow", "go on with what is written from now on")
    .option("--tail <lines>", "begin with this many lines, of those that are shown", parseLines)
    .option("--access [who]", "of a node: its access log, or only what is about NS/NAME, an address or any other text")
    .addOption(outputOption())
    .addHelpText("after", EXAMPLES)
    .action(logs);
};

const logs = async (pod: string | undefined, options: LogsOptions): Promise<void> => {
  const query = new URLSearchParams(logQuery(pod, options));
  if (options.follow) query.set("follow", "1");
  if (options.tail !== undefined) query.set("tail", String(options.tail));
  const mesh = await chooseMesh(options.name);
  const stream = await mesh.client.stream(`/logs?${query.toString()}`);
  if (!stream.ok) {
    const hint = commandLine(mesh.name, "status");
    throw new CliFailure(`mesh ${mesh.name} does not show this log: ${stream.error}`, { hint });
  }
  try {
    for await (const line of linesOf(stream.value)) printLine(line, options);
  } catch (error) {
    await sayWhyItBroke(mesh, error as Error);
  }
  await mesh.client.close();
};

/** For so long a mesh whose log broke off may still be seen although it is ending. */
const ENDING_LOOKS = 10;
const ENDING_LOOK_MS = 200;

/** @throws CliFailure unless the mesh was taken down: it then removes its socket before it closes what is open */
const sayWhyItBroke = async (mesh: ChosenMesh, { message }: Error): Promise<void> => {
  // A process that is killed loses one socket after the other.
  for (let looks = 0; looks < ENDING_LOOKS && (await isUp(mesh.state)); looks++) await delay(ENDING_LOOK_MS);
  if (await isUp(mesh.state)) throw new CliFailure(`mesh ${mesh.name} sends no more of this log: ${message}`);
  if (existsSync(mesh.state.socket)) throw new CliFailure(`mesh ${mesh.name} is gone: it has ended unexpectedly`);
  process.stderr.write("the mesh has ended\n");
};

/** Which log is meant. @throws CliFailure unless exactly one is */
const logQuery = (pod: string | undefined, options: LogsOptions): Record<string, string> => {
  const wanted: Record<string, string>[] = [];
  if (pod !== undefined) {
    const { namespace, name } = parsePodName(pod);
    wanted.push({ pod: `${namespace}/${name}` });
  }
  if (options.node !== undefined) wanted.push({ node: options.node });
  if (options.controlPlane) wanted.push({ part: "control-plane" });
  if (options.runtime) wanted.push({ part: "runtime" });
  const [only, ...others] = wanted;
  if (options.access !== undefined && (others.length > 0 || options.node === undefined)) {
    throw new CliFailure("only nodes have an access log: say which one, with --node and no other log", {
      exitCode: EXIT.usage,
      hint: "heddle logs --node node-1 --access; `heddle status` lists the nodes",
    });
  }
  if (only !== undefined && others.length === 0) return { ...only, ...accessQuery(options) };
  throw new CliFailure("say whose log: a pod as NS/POD, --node, --control-plane or --runtime", {
    exitCode: EXIT.usage,
    hint: "heddle logs --help",
  });
};

const accessQuery = ({ access }: LogsOptions): Record<string, string> =>
  access === undefined ? {} : { access: access === true ? "" : access };

const printLine = (line: string, { access, output }: LogsOptions): void => {
  if (access === undefined) {
    if (output === "json") printJson({ line });
    else printText(line);
    return;
  }
  const entry = parseAccessLog(line);
  if (entry === undefined || (typeof access === "string" && !isAbout(entry, access))) return;
  if (output === "json") printJson(entry);
  else printText(accessLogText(entry));
};

const parseLines = (text: string): number => {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("a number of lines is needed");
  return Number(text);
};
