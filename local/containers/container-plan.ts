import type { InventoryPod } from "#mesh/admin/inventory.ts";
import type { Container } from "#mesh/objects/pod.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { containerCapabilities } from "./capabilities.ts";

/** How one container is to be run. */
export interface ContainerPlan {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDir: string;
  /** Undefined: root, as far as the runtime has one. */
  readonly uid: number | undefined;
  readonly capabilities: readonly string[];
}

/** How the containers of a pod are to be run. */
export interface PodPlan {
  readonly initContainers: readonly ContainerPlan[];
  readonly containers: readonly ContainerPlan[];
}

/** The pod's own Node.js, so that `node` works in every pod whatever the machine has. */
export const CONTAINER_PATH = "/run/node:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * How to run the containers of a pod as processes of this machine.
 * @returns the plan, or every reason why the pod cannot run here, with the path in the object
 */
export const podPlan = (pod: InventoryPod, uids: number): Result<PodPlan, readonly string[]> => {
  const problems: string[] = [];
  const plan = (container: Container, path: string): ContainerPlan => {
    const result = containerPlan(container, pod.name, uids);
    if (result.ok) return result.value;
    problems.push(...result.error.map((problem) => `${path}${problem}`));
    return {
      name: container.name,
      command: ["false"],
      environment: {},
      workingDir: "/",
      uid: undefined,
      capabilities: [],
    };
  };
  const value: PodPlan = {
    initContainers: pod.initContainers.map((container, index) => plan(container, `spec.initContainers[${index}]`)),
    containers: pod.containers.map((container, index) => plan(container, `spec.containers[${index}]`)),
  };
  if (pod.containers.length === 0) problems.push("spec.containers: a pod needs at least one container");
  return problems.length === 0 ? ok(value) : err(problems);
};

/** Every capability that a container of the pod has: with some a pod can leave the mesh. */
export const podCapabilities = ({ initContainers, containers }: PodPlan): readonly string[] =>
  [...new Set([...initContainers, ...containers].flatMap(({ capabilities }) => capabilities))].sort();

const containerPlan = (
  container: Container,
  hostname: string,
  uids: number,
): Result<ContainerPlan, readonly string[]> => {
  const problems: string[] = [];
  const [program, ...args] = container.command;
  if (program === undefined) {
    problems.push(
      `.command: is missing; a local mesh runs commands of this machine and no images, so that the container ` +
        `${container.name} needs a command`,
    );
  }
  for (const { name, value } of container.env) {
    if (value === undefined) {
      problems.push(
        `.env: ${name} takes its value from somewhere that only a cluster has (valueFrom); give it a value`,
      );
    }
  }
  const { runAsUser } = container;
  if (runAsUser !== undefined && runAsUser >= uids) {
    problems.push(
      `.securityContext.runAsUser: ${runAsUser} does not exist here, only ${uids === 1 ? "0" : `0-${uids - 1}`}` +
        (uids === 1 ? "; with the package uidmap there are more, or run heddle as root" : ""),
    );
  }
  const capabilities = containerCapabilities(container.addCapabilities, container.dropCapabilities);
  if (!capabilities.ok) problems.push(`.securityContext.capabilities: ${capabilities.error}`);
  if (problems.length > 0 || program === undefined || !capabilities.ok) return err(problems);
  const environment = environmentOf(container, hostname);
  return ok({
    name: container.name,
    command: [program, ...[...args, ...container.args].map((text) => expand(text, environment))],
    environment,
    workingDir: container.workingDir ?? "/",
    uid: runAsUser,
    capabilities: capabilities.value,
  });
};

/** Later variables win, and may use earlier ones as `$(NAME)`; `$$(NAME)` stands for itself, as in Kubernetes. */
const environmentOf = (container: Container, hostname: string): Readonly<Record<string, string>> => {
  const environment: Record<string, string> = { PATH: CONTAINER_PATH, HOME: "/", HOSTNAME: hostname };
  for (const { name, value = "" } of container.env) environment[name] = expand(value, environment);
  return environment;
};

const expand = (text: string, environment: Readonly<Record<string, string>>): string =>
  text.replaceAll(/\$(\$?)\(([A-Za-z_][A-Za-z0-9_.-]*)\)/g, (whole, escape: string, name: string) => {
    if (escape !== "") return `$(${name})`;
    return Object.hasOwn(environment, name) ? (environment[name] ?? "") : whole;
  });
