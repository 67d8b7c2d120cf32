import { spawn } from "node:child_process";
import { err, ok, type Result } from "#mesh/result.ts";
import { searchPath } from "./search-path.ts";

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

export interface CommandOptions {
  /** What it reads from its standard input; nothing by default. */
  readonly input?: string;
  /** Its whole environment, PATH excepted, which always finds the system's programs. */
  readonly environment?: NodeJS.ProcessEnv;
  /** After this long it is killed. */
  readonly timeoutMs?: number;
}

/** The programs that the runtime calls answer within milliseconds; one that does not is stuck. */
const DEFAULT_TIMEOUT_MS = 20_000;
/** Enough for every message of ip and nft, and a bound for one that never ends. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

/**
 * Runs a program to its end.
 * @returns what it wrote to standard output, or what went wrong in its own words.
 */
export const runCommand = (command: Command, options: CommandOptions = {}): Promise<Result<string, string>> => {
  const [program, ...args] = command;
  const environment = options.environment ?? process.env;
  const { promise, resolve } = Promise.withResolvers<Result<string, string>>();
  const child = spawn(program, args, {
    env: { ...environment, PATH: searchPath(process.env.PATH) },
    timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const output = new BoundedText();
  const complaints = new BoundedText();
  child.stdout.on("data", (chunk: Buffer) => output.add(chunk));
  child.stderr.on("data", (chunk: Buffer) => complaints.add(chunk));
  child.on("error", (error) => resolve(err(`${program}: ${error.message}`)));
  child.on("close", (code, signal) => {
    if (code === 0) resolve(ok(output.text));
    else resolve(err(failureOf(command, complaints.text || output.text, code, signal)));
  });
  // A program that ends without reading its input is judged by how it ended.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return promise;
};

const failureOf = (command: Command, complaint: string, code: number | null, signal: NodeJS.Signals | null): string => {
  const ending = signal === null ? `exit code ${code}` : `ended by ${signal}`;
  const reason = complaint.trim().replaceAll(/\s*\n\s*/g, "; ");
  return `${command.join(" ")}: ${reason === "" ? ending : `${reason} (${ending})`}`;
};

class BoundedText {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  add(chunk: Buffer): void {
    if (this.#length >= MAX_OUTPUT_BYTES) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}
