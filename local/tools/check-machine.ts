import { kernelHasIpv6 } from "../network/fabric.ts";
import { searchPath } from "../processes/search-path.ts";
import { kernelShortcomings, type Shortcoming, type UserMapping, userMapping } from "./kernel-abilities.ts";
import { installAdvice, packageManager } from "./package-manager.ts";
import { programTreeShortcoming } from "./program-tree.ts";
import { missingPrograms, REQUIRED_PROGRAMS, type RequiredProgram } from "./required-programs.ts";

/** Whether a local mesh can run on this machine, and how. */
export interface MachineCheck {
  /** What makes it impossible; empty if nothing does. */
  readonly shortcomings: readonly Shortcoming[];
  /** Whether the processes of a node get user ids of their own. */
  readonly isolation: UserMapping;
  readonly ipv6: boolean;
}

/**
 * Looks whether this user can run a local mesh on this machine.
 * @param program the project's own tree
 * @param programs what is needed of other people's
 */
export const checkMachine = async (
  program: string,
  uid: number,
  programs: readonly RequiredProgram[] = REQUIRED_PROGRAMS,
): Promise<MachineCheck> => {
  const isRoot = uid === 0;
  const unmapped = { isolation: { kind: "full" }, ipv6: kernelHasIpv6() } as const;
  const missing = programShortcoming(programs, isRoot);
  if (missing !== undefined) return { shortcomings: [missing], ...unmapped };
  const kernel = await kernelShortcomings(isRoot);
  if (kernel.length > 0) return { shortcomings: kernel, ...unmapped };
  const isolation: UserMapping = isRoot ? { kind: "full" } : await userMapping();
  const tree = isolation.kind === "full" ? programTreeShortcoming(program) : undefined;
  return { shortcomings: tree === undefined ? [] : [tree], isolation, ipv6: unmapped.ipv6 };
};

const programShortcoming = (programs: readonly RequiredProgram[], isRoot: boolean): Shortcoming | undefined => {
  const path = searchPath(process.env.PATH);
  const missing = missingPrograms(programs, path);
  if (missing.length === 0) return undefined;
  const packages = missing.map((program) => program.package);
  return {
    what: `programs are missing: ${missing.map(({ name, purpose }) => `${name} (${purpose})`).join(", ")}`,
    remedy: installAdvice(packageManager(path), packages, isRoot),
  };
};
