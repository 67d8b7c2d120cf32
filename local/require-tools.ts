import { dirname } from "node:path";
import { argv, exit, getuid } from "node:process";
import { searchPath } from "./processes/search-path.ts";
import { runCommand } from "./processes/run-command.ts";
import { checkMachine, type MachineCheck } from "./tools/check-machine.ts";
import { APT, installAdvice, installCommand, isDebian, packageManager } from "./tools/package-manager.ts";
import {
  missingPrograms,
  REQUIRED_PROGRAMS,
  type RequiredProgram,
  TEST_PROGRAMS,
  UIDMAP_PROGRAM,
} from "./tools/required-programs.ts";

/** Packages come from the network, and a mirror may be slow. */
const INSTALL_TIMEOUT_MS = 300_000;

/**
 * Makes sure that a local mesh can run here: as root on Debian missing packages are installed, after saying so; everything
 * else is said, with the way to get it.
 * @param programs what is needed, if not what a mesh needs alone
 */
export const requireTools = async (
  program: string,
  say: (line: string) => void,
  programs = REQUIRED_PROGRAMS,
): Promise<MachineCheck> => {
  const uid = getuid?.() ?? 0;
  if (uid === 0 && isDebian()) await installMissing(programs, say);
  const check = await checkMachine(program, uid, programs);
  for (const { what, remedy } of check.shortcomings) say(`heddle: ${what}\n  to get it: ${remedy}`);
  if (!check.ipv6) say("heddle: this kernel has no IPv6; the mesh will have IPv4 only");
  if (check.isolation.kind === "reduced") say(reducedNotice(check.isolation.reason));
  return check;
};

/** What somebody should know whose mesh has only one user id, and how to change it. */
const reducedNotice = (reason: string): string => {
  const path = searchPath(process.env.PATH);
  const isMissing = missingPrograms([UIDMAP_PROGRAM], path).length > 0;
  const remedy = isMissing
    ? installAdvice(packageManager(path), [UIDMAP_PROGRAM.package], false)
    : "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER, with util-linux 2.38 or newer";
  return `heddle: isolation is reduced: all processes of a node share one user id (${reason})\n  to get full isolation: ${remedy}`;
};

const installMissing = async (programs: readonly RequiredProgram[], say: (line: string) => void): Promise<void> => {
  const packages = missingPrograms(programs, searchPath(process.env.PATH)).map((program) => program.package);
  if (packages.length === 0) return;
  const install = installCommand(APT, packages);
  say(`heddle: installing what is missing: ${install.join(" ")}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const options = { environment, timeoutMs: INSTALL_TIMEOUT_MS };
  if ((await runCommand(install, options)).ok) return;
  await runCommand([APT.program, "update"], options);
  const installed = await runCommand(install, options);
  if (!installed.ok) say(`heddle: ${installed.error}`);
};

if (import.meta.main) {
  const programs = argv.includes("--tests") ? [...REQUIRED_PROGRAMS, ...TEST_PROGRAMS] : REQUIRED_PROGRAMS;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const { shortcomings } = await requireTools(dirname(import.meta.dirname), say, programs);
  exit(shortcomings.length === 0 ? 0 : 1);
}
