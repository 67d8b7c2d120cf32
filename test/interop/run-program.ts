import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { env } from "node:process";
import { onTestFinished } from "vitest";
import { findProgram, searchPath } from "#local/processes/search-path.ts";

export interface Finished {
  readonly code: number | null;
  readonly out: Buffer;
  readonly errors: string;
}

/** Runs somebody else's program to its end. @throws Error that says how to get it, if it is not here */
export const runProgram = async (name: string, howToGet: string, args: readonly string[]): Promise<Finished> => {
  const child = startProgram(name, howToGet, args);
  const [out, errors] = [gather(child.stdout), gather(child.stderr)];
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out: Buffer.concat(out), errors: Buffer.concat(errors).toString() };
};

/** Starts one that the test ends. @throws Error that says how to get it, if it is not here */
export const startProgram = (name: string, howToGet: string, args: readonly string[]): ChildProcess => {
  const program = findProgram(name, searchPath(env.PATH));
  if (program === undefined) throw new Error(`${name} is not on this machine: ${howToGet}`);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  });
  return child;
};

const gather = (stream: NodeJS.ReadableStream | null): Buffer[] => {
  const parts: Buffer[] = [];
  stream?.on("data", (part: Buffer) => parts.push(part));
  return parts;
};

const NGHTTP2 = "apt-get install nghttp2-client";
export const nghttp = (...args: readonly string[]): Promise<Finished> => runProgram("nghttp", NGHTTP2, args);
export const h2load = (...args: readonly string[]): Promise<Finished> => runProgram("h2load", NGHTTP2, args);
export const curl = (...args: readonly string[]): Promise<Finished> =>
  runProgram("curl", "apt-get install curl", ["--silent", "--show-error", "--max-time", "60", ...args]);
