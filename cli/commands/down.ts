import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { lockFile } from "#local/state/file-lock.ts";
import type { StateFolder } from "#local/state/state-folder.ts";
import { CliFailure } from "../failure.ts";
import { type ChosenMesh, chooseMesh } from "../mesh-choice.ts";
import { type OutputFormat, outputOption, printJson, printText } from "../output/output-format.ts";

interface DownOptions {
  readonly name?: string;
  readonly output: OutputFormat;
}

/** Pods get two seconds to end, then the nodes, then the control plane. */
const DOWN_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 20;

const EXAMPLES = `
Examples:
  heddle down                       the mesh that is up
  heddle down --name blue           one of several

Nothing is left behind: processes, networks and mounts of a mesh end with it. Its certificate authority, the addresses
of its pods and its logs are kept for the next time.`;

export const addDownCommand = (program: Command): void => {
  program
    .command("down")
    .description("stop a mesh")
    .option("--name <name>", "which mesh, if several are up")
    .addOption(outputOption())
    .addHelpText("after", EXAMPLES)
    .action(down);
};

/** Asks a mesh to end, and waits until it has. @throws CliFailure if it does not */
export const bringDown = async (mesh: ChosenMesh): Promise<void> => {
  const answer = await mesh.client.json<object>("/down", { method: "POST", timeoutMs: DOWN_TIMEOUT_MS });
  await mesh.client.close();
  for (const deadline = Date.now() + DOWN_TIMEOUT_MS; isHeld(mesh.state);) {
    if (!answer.ok || Date.now() > deadline) {
      throw new CliFailure(`mesh ${mesh.name} does not end: ${answer.ok ? "it is still there" : answer.error}`, {
        hint: `look for the process \`unshare\` of this mesh and kill it with -9; nothing else is left then`,
      });
    }
    await delay(LOOK_EVERY_MS);
  }
};

/** The runtime holds the lock to its very end, so that whoever starts the mesh again is not refused. */
const isHeld = ({ lock }: StateFolder): boolean => {
  const unlock = lockFile(lock);
  unlock?.();
  return unlock === undefined;
};

const down = async (options: DownOptions): Promise<void> => {
  const mesh = await chooseMesh(options.name);
  await bringDown(mesh);
  if (options.output === "json") printJson({ event: "stopped", name: mesh.name });
  else printText(`mesh ${mesh.name} is down`);
};
