import { cpus, release, totalmem } from "node:os";
import { runCommand } from "#local/processes/run-command.ts";
import { VERSION } from "#proxy/version.ts";

/** On what, and of what, the numbers were taken. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** @param others the programs that are compared with, and how each tells its version */
export const describeMachine = async (
  others: Readonly<Record<string, readonly [string, ...string[]]>>,
): Promise<Machine> => {
  const versions: Record<string, string> = { heddle: VERSION, node: process.version };
  for (const [name, command] of Object.entries(others)) versions[name] = await versionOf(command);
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    versions,
  };
};

/** The first thing in the text that looks like a version; nginx and wrk tell it as an error. */
const versionOf = async ([program, ...args]: readonly [string, ...string[]]): Promise<string> => {
  const shell = await runCommand(["sh", "-c", '"$@" 2>&1; true', "sh", program, ...args]);
  return /[0-9]+\.[0-9]+(?:\.[0-9]+)?/.exec(shell.ok ? shell.value : "")?.[0] ?? "unknown";
};
