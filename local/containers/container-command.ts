import { namespacePath } from "../network/namespace-path.ts";
import type { Command } from "../processes/run-command.ts";
import { findProgram } from "../processes/search-path.ts";
import { boundingArguments } from "./capabilities.ts";
import type { ContainerPlan } from "./container-plan.ts";

/** What all containers of a mesh have in common. */
export interface ContainerHost {
  /** How many user ids there are: those from 0 up to this. */
  readonly uids: number;
  /** The project's own tree, and the mount options that make it read-only. */
  readonly program: string;
  readonly bindOptions: string;
  /** The folder with the node program. */
  readonly nodeFolder: string;
  /** The folder that no pod may see. */
  readonly hidden: string;
  /** Where the machine's own programs are. */
  readonly tools: string;
}

/** Where a container runs. */
export interface ContainerPlace {
  readonly networkNamespace: string;
  readonly hostname: string;
  readonly hostsFile: string;
}

/** A command and its whole environment. What a container is told in its environment must not show in lists of processes. */
export interface ContainerCommand {
  readonly command: Command;
  readonly environment: Readonly<Record<string, string>>;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
  /** The name of the terminal's kind, as in TERM. */
  readonly term: string;
}

/** What a container has for itself; its network is the pod's. What others unmount is not held by it. */
const OWN_NAMESPACES = ["--mount", "--propagation", "slave", "--uts", "--ipc", "--pid", "--fork", "--kill-child"];
const ENTERED_NAMESPACES = ["--mount", "--uts", "--ipc", "--net", "--pid"];
const DIE_WITH_PARENT = ["--pdeathsig", "KILL"];

/** The command that starts a container. */
export const containerCommand = (
  host: ContainerHost,
  place: ContainerPlace,
  plan: ContainerPlan,
): ContainerCommand => ({
  command: [
    tool(host, "nsenter"),
    `--net=${namespacePath(place.networkNamespace)}`,
    tool(host, "unshare"),
    ...OWN_NAMESPACES,
    tool(host, "sh"),
    `${host.program}/local/containers/surroundings.sh`,
    ...confined(host, plan),
    tool(host, "sh"),
    "/run/init.sh",
    ...inDirectory(host, plan),
    ...plan.command,
  ],
  environment: {
    ...plan.environment,
    POD_HOSTNAME: place.hostname,
    POD_HOSTS: place.hostsFile,
    POD_DIRECTORY: plan.workingDir,
    POD_NODE: host.nodeFolder,
    POD_PROGRAM: host.program,
    POD_HIDDEN: host.hidden,
    POD_BIND_OPTIONS: host.bindOptions,
    POD_TOOLS: host.tools,
  },
});

/**
 * The command that runs another program in a running container, with what the container may do and no more. It dies with
 * the process that this command becomes.
 * @param pid of the container's first process
 * @param terminal set for a program that wants a terminal
 */
export const execCommand = (
  host: ContainerHost,
  plan: ContainerPlan,
  pid: number,
  program: Command,
  terminal: TerminalSize | undefined,
): ContainerCommand => ({
  command: [
    tool(host, "nsenter"),
    `--target=${pid}`,
    ...ENTERED_NAMESPACES,
    ...confined(host, plan),
    ...DIE_WITH_PARENT,
    ...inDirectory(host, plan),
    ...(terminal === undefined ? program : onTerminal(host, program, terminal)),
  ],
  environment: terminal === undefined ? plan.environment : { TERM: terminal.term, ...plan.environment },
});

/** script(1) makes a terminal in the container; it passes the program's exit code on. */
const onTerminal = (host: ContainerHost, program: Command, { rows, columns }: TerminalSize): Command => {
  const words = program.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  return [tool(host, "script"), "-qefc", `stty rows ${rows} cols ${columns}; exec ${words}`, "/dev/null"];
};

const confined = (host: ContainerHost, { capabilities, uid = 0 }: ContainerPlan): readonly string[] => [
  tool(host, "setpriv"),
  ...boundingArguments(capabilities),
  ...(uid === 0 ? [] : [`--reuid=${uid}`, `--regid=${uid}`]),
  // A user namespace with one user id forbids to change groups.
  ...(host.uids === 1 ? [] : ["--clear-groups"]),
];

const inDirectory = (host: ContainerHost, { workingDir }: ContainerPlan): readonly string[] => [
  tool(host, "env"),
  `--chdir=${workingDir}`,
];

/** A program of the machine by its path: the container's own PATH must not decide what prepares it. */
const tool = ({ tools }: ContainerHost, name: string): string => findProgram(name, tools) ?? name;
