import { join } from "node:path";
import { CliFailure } from "#cli/failure.ts";
import type { TemporaryMesh } from "#cli/temporary-mesh.ts";
import { processTree } from "../measure/process-tree.ts";
import type { ProxyProcess } from "./way.ts";

/** A proxy of others that runs beside the client and, once more, beside the server. */
export interface PeerPair {
  /** Its containers' name. */
  readonly name: string;
  /** Files with its settings, in the folder that all pods see. */
  readonly client: string;
  readonly server: string;
  /** What is run with such a file. */
  readonly command: (file: string) => string;
}

export const configFile = (pair: PeerPair, folder: string, side: "client" | "server"): string =>
  join(folder, pair[side]);

/** One that waits for its file: the address of the peer is known only when the pods have theirs. */
export const peerContainer = (pair: PeerPair, folder: string, side: "client" | "server"): object => {
  const file = configFile(pair, folder, side);
  const script = `until [ -e ${file} ]; do sleep 0.1; done; exec ${pair.command(file)}`;
  return { name: pair.name, image: pair.name, command: ["sh", "-c", script] };
};

/** Both processes of it. @throws CliFailure unless both run */
export const peerProcesses = (mesh: TemporaryMesh, pair: PeerPair, folder: string): readonly ProxyProcess[] => {
  const all = processTree(mesh.pid ?? 0);
  return (["client", "server"] as const).map((side) => {
    const file = configFile(pair, folder, side);
    // The shell that waits for the file has the name in its command line too.
    const own = all.find(({ name, commandLine }) => name === pair.name && commandLine.includes(file));
    if (!own) throw new CliFailure(`${pair.name} does not run at the ${side}: see the log of plain/${side}`);
    return { pid: own.pid, label: `${pair.name} at the ${side}`, side, carries: true };
  });
};
