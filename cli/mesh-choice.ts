import { readdirSync } from "node:fs";
import { getuid } from "node:process";
import { connect } from "node:net";
import { UnixClient } from "#local/socket/unix-client.ts";
import { parseMeshName, stateFolder, type StateFolder, stateRoot } from "#local/state/state-folder.ts";
import { CliFailure, EXIT } from "./failure.ts";

/** A mesh that is up, and the connection to it. */
export interface ChosenMesh {
  readonly name: string;
  readonly state: StateFolder;
  readonly client: UnixClient;
}

/** The folder with the state of all meshes of this user. */
export const ownStateRoot = (): string => stateRoot(process.env, getuid?.() ?? 0);

/** The state folder of a mesh by name. @throws CliFailure if nothing can be called so */
export const namedState = (name: string): StateFolder => {
  const parsed = parseMeshName(name);
  const state = parsed.ok ? stateFolder(ownStateRoot(), parsed.value) : parsed;
  if (!state.ok) throw new CliFailure(state.error, { exitCode: EXIT.usage });
  return state.value;
};

/**
 * The mesh that a command is about: the one named, or the only one that is up.
 * @throws CliFailure if it is not up, or if it is not clear which is meant
 */
export const chooseMesh = async (name: string | undefined): Promise<ChosenMesh> => {
  const chosen = name ?? onlyOne(await meshesThatAreUp());
  const state = namedState(chosen);
  if (!(await isUp(state))) {
    throw new CliFailure(`no mesh called ${chosen} is up`, {
      exitCode: EXIT.notUp,
      hint: name === undefined ? "heddle up DIR" : `heddle up DIR --name ${name}`,
    });
  }
  return { name: chosen, state, client: new UnixClient(state.socket) };
};

/** Whether a runtime listens on the mesh's socket; one that was killed leaves a socket on which nobody does. */
export const isUp = ({ socket }: StateFolder): Promise<boolean> =>
  new Promise((resolve) => {
    const connection = connect(socket);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });

/** The names of this user's meshes that are up. */
export const meshesThatAreUp = async (): Promise<readonly string[]> => {
  const names = foldersIn(ownStateRoot()).filter((name) => parseMeshName(name).ok);
  const up = await Promise.all(names.map((name) => isUp(namedState(name))));
  return names.filter((_, index) => up[index]).sort();
};

const onlyOne = (names: readonly string[]): string => {
  const [name, ...others] = names;
  if (name === undefined) throw new CliFailure("no mesh is up", { exitCode: EXIT.notUp, hint: "heddle up DIR" });
  if (others.length === 0) return name;
  throw new CliFailure(`several meshes are up: ${names.join(", ")}`, {
    exitCode: EXIT.usage,
    hint: `say which one is meant, as in --name ${name}`,
  });
};

const foldersIn = (path: string): readonly string[] => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};
