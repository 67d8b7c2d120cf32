import { join } from "node:path";
import { ok, type Result } from "#mesh/result.ts";
import { buildFabric, kernelHasIpv6 } from "../network/fabric.ts";
import { runCommand } from "../processes/run-command.ts";
import type { RuntimeSettings } from "../runtime-settings.ts";
import type { StateFolder } from "../state/state-folder.ts";

/** What the mesh's own corner of the machine turned out to be. */
export interface PreparedMachine {
  readonly hasIpv6: boolean;
  /** How the program's tree has to be mounted so that it is read-only. */
  readonly bindOptions: string;
}

/** Makes the mesh's own /run and the network that joins its nodes. */
export const prepareMachine = async (
  settings: RuntimeSettings,
  state: StateFolder,
): Promise<Result<PreparedMachine, string>> => {
  const script = join(settings.program, "local/launch/mounts.sh");
  // An ordinary user could not even delete what is kept: it belongs to the user ids of the node's processes.
  const keptCache = settings.asRoot ? state.cache : "";
  const mounted = await runCommand(["sh", script, settings.program, keptCache]);
  if (!mounted.ok) return mounted;
  const hasIpv6 = kernelHasIpv6();
  const built = await buildFabric(settings.nodes, hasIpv6);
  return built.ok ? ok({ hasIpv6, bindOptions: mounted.value.trim() }) : built;
};
