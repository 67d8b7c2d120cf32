import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex, Readable } from "node:stream";
import { constants } from "node:os";
import { err, ok, type Result } from "#mesh/result.ts";
import { commandLine } from "../command-line.ts";
import { type ContainerCommand, type ContainerHost, execCommand } from "../containers/container-command.ts";
import type { Pod } from "../pods/pod.ts";
import {
  encodeFrame,
  type ExecFrame,
  ExecFrameDecoder,
  type ExecStart,
  exitFrame,
  parseExecStart,
} from "./exec-frames.ts";

export interface ExecSurroundings {
  /** The name of the mesh, for what is said to people. */
  readonly mesh: string;
  readonly host: ContainerHost;
  readonly findPod: (namespace: string, name: string) => Pod | undefined;
}

/** Serves one upgraded exec connection: runs one command in one container, for as long as the client stays. */
export const serveExec = (connection: Duplex, surroundings: ExecSurroundings): void => {
  const decoder = new ExecFrameDecoder();
  let child: ChildProcess | undefined;
  const take = (frame: ExecFrame): void => {
    if (frame.kind === "start" && child === undefined) child = start(connection, surroundings, frame.payload);
    else if (frame.kind === "stdin") passOn(connection, child, frame.payload);
    else if (frame.kind === "stdin-end") child?.stdin?.end();
  };
  connection.on("data", (chunk: Buffer) => {
    const frames = decoder.push(chunk);
    if (frames.ok) frames.value.forEach(take);
    else connection.end(encodeFrame("error", frames.error));
  });
  connection.on("error", () => {});
  // The end of the command's input is a frame; the end of the connection means that the client is gone.
  connection.on("end", () => connection.destroy());
  // The command dies with the process that entered the container for it.
  connection.on("close", () => child?.kill("SIGKILL"));
};

const start = (connection: Duplex, surroundings: ExecSurroundings, payload: Buffer): ChildProcess | undefined => {
  const parsed = parseExecStart(payload);
  const command = parsed.ok ? commandFor(parsed.value, surroundings) : parsed;
  if (!parsed.ok || !command.ok) {
    connection.end(encodeFrame("error", command.ok ? "" : command.error));
    return undefined;
  }
  const [program, ...args] = command.value.command;
  const child = spawn(program, args, {
    env: command.value.environment,
    stdio: [parsed.value.stdin ? "pipe" : "ignore", "pipe", "pipe"],
  });
  child.stdin?.on("error", () => {});
  child.stdin?.on("drain", () => connection.resume());
  child.stdin?.on("close", () => connection.resume());
  send(connection, "stdout", child.stdout);
  send(connection, "stderr", child.stderr);
  child.on("error", (error) => connection.end(encodeFrame("error", error.message)));
  child.on("close", (code, signal) => {
    connection.end(exitFrame(signal === null ? (code ?? 0) : 128 + constants.signals[signal]));
  });
  return child;
};

/** The command that enters the container, or why it cannot be entered. */
const commandFor = (start: ExecStart, { mesh, host, findPod }: ExecSurroundings): Result<ContainerCommand, string> => {
  const name = `${start.namespace}/${start.pod}`;
  const status = commandLine(mesh, "status");
  const pod = findPod(start.namespace, start.pod);
  if (pod === undefined) return err(`there is no pod ${name}; \`${status}\` lists those there are`);
  const container = pod.containers?.find(start.container);
  if (container === undefined) {
    if (pod.containers === undefined) return err(`pod ${name} is not running; \`${status}\` says why`);
    const names = pod.containers.reports.map((report) => report.name).join(", ");
    return err(`pod ${name} has no container ${start.container ?? ""}, only ${names}`);
  }
  if (container.pid === undefined) {
    const logs = commandLine(mesh, "logs", name);
    return err(`container ${container.plan.name} of pod ${name} is not running; \`${logs}\` may say why`);
  }
  const [program = "", ...args] = start.command;
  return ok(execCommand(host, container.plan, container.pid, [program, ...args], start.terminal));
};

/** What the command writes, no faster than the client takes it. */
const send = (connection: Duplex, kind: "stdout" | "stderr", source: Readable | null): void => {
  source?.on("data", (chunk: Buffer) => {
    if (connection.destroyed || connection.write(encodeFrame(kind, chunk))) return;
    source.pause();
    connection.once("drain", () => source.resume());
  });
};

/** What the client types, no faster than the command reads it. */
const passOn = (connection: Duplex, child: ChildProcess | undefined, payload: Buffer): void => {
  const stdin = child?.stdin;
  if (stdin?.writable && !stdin.write(payload)) connection.pause();
};
