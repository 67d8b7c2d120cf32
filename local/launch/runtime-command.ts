import { join } from "node:path";
import type { Command } from "../processes/run-command.ts";

/** How a runtime is put into namespaces of its own. */
export interface RuntimePlacement {
  /** The project's own tree. */
  readonly program: string;
  /** `root`: no user namespace is needed. Otherwise whether the user's subordinate ids are mapped into it. */
  readonly user: "root" | "mapped" | "single";
  /** Whether it ends with the process that started it. */
  readonly attached: boolean;
}

/**
 * The command that starts a runtime:
 *
 *     setpriv --pdeathsig KILL       it ends with `heddle up`, unless that shall go
 *     unshare -Ur --map-auto         an ordinary user becomes root of a user namespace
 *     --mount --net                  mounts and networks that nobody else sees, and that end with it
 *     --pid --fork --kill-child      processes that end with their first
 *     --propagation slave            what others unmount is not held by this mesh
 *     sh init.sh                     the first process: collects orphans, which Node.js would leave as zombies
 */
export const runtimeCommand = ({ program, user, attached }: RuntimePlacement): Command => [
  ...(attached ? DYING_WITH_PARENT : ([] as const)),
  "unshare",
  ...USER_NAMESPACE[user],
  ...OWN_NAMESPACES,
  "sh",
  join(program, "local/containers/init.sh"),
  join(program, "bin/node"),
  "--disable-warning=ExperimentalWarning",
  join(program, "local/main.ts"),
];

const DYING_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"] as const;
const USER_NAMESPACE = { root: [], mapped: ["-Ur", "--map-auto"], single: ["-Ur"] } as const;
const OWN_NAMESPACES = [
  "--mount",
  "--propagation",
  "slave",
  "--net",
  "--pid",
  "--fork",
  "--kill-child",
  "--mount-proc",
] as const;
