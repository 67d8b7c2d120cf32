import { homedir } from "node:os";
import { join } from "node:path";
import { err, ok, type Result } from "#mesh/result.ts";

/** Where a mesh keeps what must outlive it, and where it is spoken to. */
export interface StateFolder {
  readonly root: string;
  /** The runtime's own socket. */
  readonly socket: string;
  /** Held locked by the runtime for as long as it lives. */
  readonly lock: string;
  /** What the runtime adds to the declared objects: addresses, nodes, readiness. */
  readonly assigned: string;
  /** What became of objects that have a status: `<kind>/<namespace>/<name>.yaml`, written by the control plane. */
  readonly status: string;
  /** Keys of the certificate authority. */
  readonly authority: string;
  readonly logs: string;
  /** Which pod and service has which address. */
  readonly addresses: string;
  /** Compiled JavaScript, one folder for each user id. */
  readonly cache: string;
}

/** sun_path of unix(7): 108 bytes with the terminating zero. */
const MAX_SOCKET_PATH_BYTES = 107;

/** The folder that holds the state folders of all meshes of this user. */
export const stateRoot = (environment: NodeJS.ProcessEnv, uid: number): string => {
  if (uid === 0) return "/var/lib/heddle";
  const home = environment.HOME ?? homedir();
  return join(environment.XDG_STATE_HOME || join(home, ".local", "state"), "heddle");
};

/** The state folder of the mesh called `name`. @returns what is wrong if a socket cannot be made in it. */
export const stateFolder = (root: string, name: string): Result<StateFolder, string> => {
  const folder = join(root, name);
  const socket = join(folder, "heddle.sock");
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES) {
    return err(
      `${socket} is longer than the ${MAX_SOCKET_PATH_BYTES} bytes that a socket's path may have; ` +
        "choose a shorter --name or XDG_STATE_HOME",
    );
  }
  return ok({
    root: folder,
    socket,
    lock: join(folder, "lock"),
    assigned: join(folder, "assigned"),
    status: join(folder, "status"),
    authority: join(folder, "ca"),
    logs: join(folder, "logs"),
    addresses: join(folder, "addresses.json"),
    cache: join(folder, "cache"),
  });
};

/** Whether the text can name a mesh: it becomes a folder's name. */
export const parseMeshName = (text: string): Result<string, string> =>
  /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/.test(text)
    ? ok(text)
    : err(`${JSON.stringify(text)} cannot name a mesh: use lower-case letters, digits and dashes, up to 40`);
