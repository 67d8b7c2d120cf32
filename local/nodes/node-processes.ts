import { CONTROL_PLANE_ADDRESS, CONTROL_PLANE_PORT, nodeName } from "../addresses/address-plan.ts";
import { boundingArguments } from "../containers/capabilities.ts";
import { namespacePath } from "../network/namespace-path.ts";
import type { Command } from "../processes/run-command.ts";
import { nodeLayout, RUN } from "../run-layout.ts";
import type { RuntimeSettings } from "../runtime-settings.ts";
import type { StateFolder } from "../state/state-folder.ts";

/** The one cluster of a local mesh, by Istio's default name. */
const CLUSTER = "Kubernetes";
/** The name in the control plane's certificate. */
const CONTROL_PLANE_NAME = "heddle-control-plane.heddle-system.svc";

/** Below 65536, which is as far as a usual range of subordinate ids reaches, and where distributions create no users. */
const FIRST_UID = 56_000;
/** An agent, and more workers than a node can have. */
const UIDS_PER_NODE = 64;

/** The user id of a node's agent, from which those of its workers follow. */
export const agentUid = (node: number): number => FIRST_UID + (node - 1) * UIDS_PER_NODE;

/** How a process is started. */
export interface ProcessPlan {
  readonly command: Command;
  readonly environment: Readonly<Record<string, string>>;
}

/** The control plane: in the runtime's own network, without any privilege. */
export const controlPlaneProcess = (settings: RuntimeSettings, state: StateFolder, path: string): ProcessPlan => ({
  command: ["setpriv", ...boundingArguments([]), "--no-new-privs", ...nodeProgram(settings.controlPlane)],
  environment: {
    PATH: path,
    NODE_COMPILE_CACHE: `${RUN.cache}/control-plane`,
    HEDDLE_TRUST_DOMAIN: settings.trustDomain,
    HEDDLE_CLUSTER: CLUSTER,
    HEDDLE_ROOT_NAMESPACE: settings.rootNamespace,
    HEDDLE_OBJECTS_DIR: settings.objects,
    HEDDLE_ASSIGNED_DIR: state.assigned,
    HEDDLE_STATUS_DIR: state.status,
    HEDDLE_CA_DIR: state.authority,
    HEDDLE_PUBLIC_DIR: RUN.public,
    HEDDLE_LISTEN: `${CONTROL_PLANE_ADDRESS.ipv4}:${CONTROL_PLANE_PORT}`,
    HEDDLE_ADMIN_SOCKET: RUN.controlPlaneSocket,
    ...common(settings),
  },
});

/** A node's supervisor: in the node's network, with every privilege; it takes them from what it starts. */
export const supervisorProcess = (settings: RuntimeSettings, node: number, path: string): ProcessPlan => {
  const layout = nodeLayout(node);
  return {
    command: ["nsenter", `--net=${namespacePath(nodeName(node))}`, ...nodeProgram(settings.supervisor)],
    environment: {
      PATH: path,
      NODE_COMPILE_CACHE: `${RUN.cache}/supervisor`,
      HEDDLE_NODE: nodeName(node),
      HEDDLE_CLUSTER: CLUSTER,
      HEDDLE_TRUST_DOMAIN: settings.trustDomain,
      HEDDLE_RUN_DIR: layout.folder,
      HEDDLE_WORKERS: String(settings.workers),
      HEDDLE_FIRST_UID: settings.reducedIsolation === undefined ? String(agentUid(node)) : "",
      HEDDLE_PROGRAM: RUN.program,
      HEDDLE_CACHE_DIR: RUN.cache,
      HEDDLE_CONTROL_PLANE: `${CONTROL_PLANE_ADDRESS.ipv4}:${CONTROL_PLANE_PORT}`,
      HEDDLE_CONTROL_PLANE_NAME: CONTROL_PLANE_NAME,
      HEDDLE_JOIN_TOKEN_FILE: layout.joinToken,
      HEDDLE_ROOTS_FILE: RUN.roots,
      HEDDLE_AGENT_SOCKET: layout.agentSocket,
      ...common(settings),
    },
  };
};

const common = ({ logLevel, leafLifetime }: RuntimeSettings): Readonly<Record<string, string>> => ({
  HEDDLE_LOG_LEVEL: logLevel,
  ...(leafLifetime === undefined ? {} : { HEDDLE_LEAF_LIFETIME: leafLifetime }),
});

const nodeProgram = (file: string): readonly [string, ...string[]] => [
  `${RUN.program}/bin/node`,
  "--disable-warning=ExperimentalWarning",
  "--disable-sigusr1",
  `${RUN.program}/${file}`,
];
