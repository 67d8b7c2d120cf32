import type { Command } from "commander";
import type { ExecStart } from "#local/exec/exec-frames.ts";
import { execInPod } from "../exec-connection.ts";
import { CliFailure, EXIT } from "../failure.ts";
import { chooseMesh } from "../mesh-choice.ts";
import { type OutputFormat, outputOption, printJson } from "../output/output-format.ts";
import { parsePodName } from "../pod-name.ts";
import { TextSink } from "../output/text-sink.ts";

interface ExecOptions {
  readonly name?: string;
  readonly container?: string;
  readonly stdin?: true;
  readonly tty?: true;
  readonly output: OutputFormat;
}

const EXAMPLES = `
Examples:
  heddle exec shop/client -- curl -s http://web/
  heddle exec -it shop/client -- sh
  echo hello | heddle exec -i shop/client -- cat
  heddle exec shop/web-0 -c web -o json -- ps ax     {"exitCode":0,"stdout":"...","stderr":""}

It ends with the exit code of the command, or with 125 if the command could not be started.`;

export const addExecCommand = (program: Command): void => {
  program
    .command("exec")
    .description("run a command in a pod")
    .argument("<pod>", "namespace and name of the pod, as in shop/web-0")
    .argument("<command...>", "the command, after --")
    .option("--name <name>", "which mesh, if several are up")
    .option("-c, --container <container>", "which container; the pod's first by default")
    .option("-i, --stdin", "pass standard input on to the command")
    .option("-t, --tty", "give the command a terminal")
    .addOption(outputOption())
    .addHelpText("after", EXAMPLES)
    .action(exec);
};

const exec = async (pod: string, command: readonly string[], options: ExecOptions): Promise<void> => {
  const { namespace, name } = parsePodName(pod);
  if (options.tty && options.output === "json") {
    throw new CliFailure("-t is for people and -o json for programs", { exitCode: EXIT.usage, hint: "leave one out" });
  }
  const mesh = await chooseMesh(options.name);
  const start: ExecStart = {
    namespace,
    pod: name,
    command,
    stdin: options.stdin === true,
    ...(options.container === undefined ? {} : { container: options.container }),
    ...(options.tty ? { terminal: ownTerminal() } : {}),
  };
  const stdin = options.stdin ? process.stdin : undefined;
  if (options.output === "json") {
    const [stdout, stderr] = [new TextSink(), new TextSink()];
    const exitCode = await execInPod(mesh.state.socket, start, { stdin, stdout, stderr });
    printJson({ exitCode, stdout: stdout.text, stderr: stderr.text });
    process.exitCode = exitCode;
    return;
  }
  const isRaw = options.tty === true && options.stdin === true && process.stdin.isTTY;
  if (isRaw) process.stdin.setRawMode(true);
  try {
    const { stdout, stderr } = process;
    process.exitCode = await execInPod(mesh.state.socket, start, { stdin, stdout, stderr });
  } finally {
    if (isRaw) process.stdin.setRawMode(false);
  }
};

/** The size and kind of this command's own terminal, or of a usual one. */
const ownTerminal = (): { readonly rows: number; readonly columns: number; readonly term: string } => ({
  rows: process.stdout.rows ?? 24,
  columns: process.stdout.columns ?? 80,
  term: process.env.TERM ?? "xterm",
});
