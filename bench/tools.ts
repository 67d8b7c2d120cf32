import { basename, dirname, resolve } from "node:path";
import { getuid } from "node:process";
import { findProgram, searchPath } from "#local/processes/search-path.ts";
import { requireTools } from "#local/require-tools.ts";
import { installAdvice, packageManager } from "#local/tools/package-manager.ts";
import { missingPrograms } from "#local/tools/required-programs.ts";
import { CliFailure, EXIT } from "#cli/failure.ts";

const PROGRAM = dirname(import.meta.dirname);

/** A program of others that the comparison needs. Packages by Debian's name. */
interface LoadTool {
  readonly name: string;
  readonly package: string;
  readonly purpose: string;
  /** Whether installing it starts a server on the machine. */
  readonly isService: boolean;
}

const LOAD_TOOLS: readonly LoadTool[] = [
  { name: "wrk", package: "wrk", purpose: "sends requests", isService: false },
  { name: "h2load", package: "nghttp2-client", purpose: "sends HTTP/2 requests", isService: false },
  { name: "nginx", package: "nginx", purpose: "answers them", isService: true },
  { name: "haproxy", package: "haproxy", purpose: "is the yardstick", isService: true },
  { name: "taskset", package: "util-linux", purpose: "keeps processes on a core", isService: false },
];

/** @throws CliFailure unless everything is there that the bench runs */
export const requireBenchTools = async (say: (line: string) => void): Promise<void> => {
  const { shortcomings } = await requireTools(PROGRAM, say);
  if (shortcomings.length > 0) throw new CliFailure("this machine cannot run a mesh as it is");
  const path = searchPath(process.env.PATH);
  const missing = missingPrograms(LOAD_TOOLS, path);
  if (missing.length === 0) return;
  const names = missing.map(({ name, purpose }) => `${name} (${purpose})`).join(", ");
  throw new CliFailure(`programs are missing: ${names}`, { hint: howToGet(missing, path) });
};

/** They are not installed without being asked for: Debian starts what it installs, on ports that everybody can reach. */
const howToGet = (missing: readonly LoadTool[], path: string): string => {
  const packages = missing.map((tool) => tool.package);
  const install = installAdvice(packageManager(path), packages, getuid?.() === 0);
  const services = missing.filter(({ isService }) => isService).map(({ name }) => name);
  if (services.length === 0) return install;
  return `${install}; Debian starts them as services, which the bench does not need: systemctl disable --now ${services.join(" ")}`;
};

/**
 * The program that a variable of the environment names.
 * @throws CliFailure if it names something that cannot be run
 */
export const binaryFrom = (variable: string): string | undefined => {
  const named = process.env[variable];
  if (named === undefined || named === "") return undefined;
  const folders = named.includes("/") ? dirname(resolve(named)) : searchPath(process.env.PATH);
  const found = findProgram(basename(named), folders);
  if (found !== undefined) return found;
  throw new CliFailure(`${variable}=${named} is no program that can be run`, { exitCode: EXIT.usage });
};
