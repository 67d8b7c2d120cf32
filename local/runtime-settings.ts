import { parseMeshName } from "./state/state-folder.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { MAX_NODES } from "./addresses/address-plan.ts";

/** Everything that the runtime is told when it is started. */
export interface RuntimeSettings {
  readonly name: string;
  /** Tells this run from every other. */
  readonly instance: string;
  readonly nodes: number;
  readonly workers: number;
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly leafLifetime: string | undefined;
  readonly logLevel: string;
  /** The folder with the declared objects. */
  readonly objects: string;
  /** The folder that holds the state folders of all meshes of this user. */
  readonly stateRoot: string;
  /** The project's own tree. */
  readonly program: string;
  /** Whether it runs as the machine's own root, and not in a user namespace. */
  readonly asRoot: boolean;
  /** Why user ids cannot be told apart; undefined where they can. */
  readonly reducedIsolation: string | undefined;
  /** What runs as control plane and as supervisor, relative to the program's tree. */
  readonly controlPlane: string;
  readonly supervisor: string;
}

export const MAX_WORKERS = 32;

/** The environment that says this to a runtime. */
export const runtimeEnvironment = (settings: RuntimeSettings): Readonly<Record<string, string>> => ({
  HEDDLE_NAME: settings.name,
  HEDDLE_INSTANCE: settings.instance,
  HEDDLE_NODES: String(settings.nodes),
  HEDDLE_WORKERS: String(settings.workers),
  HEDDLE_TRUST_DOMAIN: settings.trustDomain,
  HEDDLE_ROOT_NAMESPACE: settings.rootNamespace,
  HEDDLE_LEAF_LIFETIME: settings.leafLifetime ?? "",
  HEDDLE_LOG_LEVEL: settings.logLevel,
  HEDDLE_OBJECTS_DIR: settings.objects,
  HEDDLE_STATE_ROOT: settings.stateRoot,
  HEDDLE_PROGRAM: settings.program,
  HEDDLE_AS_ROOT: settings.asRoot ? "1" : "",
  HEDDLE_REDUCED_ISOLATION: settings.reducedIsolation ?? "",
  HEDDLE_CONTROL_PLANE_PROGRAM: settings.controlPlane,
  HEDDLE_SUPERVISOR_PROGRAM: settings.supervisor,
});

/** Reads what {@link runtimeEnvironment} wrote. @returns the settings, or every variable that is wrong */
export const parseRuntimeSettings = (environment: NodeJS.ProcessEnv): Result<RuntimeSettings, readonly string[]> => {
  const problems: string[] = [];
  const text = (name: string): string => {
    const value = environment[name] ?? "";
    if (value === "") problems.push(`${name} is not set`);
    return value;
  };
  const count = (name: string, max: number): number => {
    const value = Number(text(name));
    if (!Number.isInteger(value) || value < 1 || value > max) problems.push(`${name} must be from 1 to ${max}`);
    return value;
  };
  const name = parseMeshName(text("HEDDLE_NAME"));
  if (!name.ok) problems.push(`HEDDLE_NAME: ${name.error}`);
  const settings: RuntimeSettings = {
    name: name.ok ? name.value : "",
    instance: text("HEDDLE_INSTANCE"),
    nodes: count("HEDDLE_NODES", MAX_NODES),
    workers: count("HEDDLE_WORKERS", MAX_WORKERS),
    trustDomain: text("HEDDLE_TRUST_DOMAIN"),
    rootNamespace: text("HEDDLE_ROOT_NAMESPACE"),
    leafLifetime: environment.HEDDLE_LEAF_LIFETIME || undefined,
    logLevel: text("HEDDLE_LOG_LEVEL"),
    objects: text("HEDDLE_OBJECTS_DIR"),
    stateRoot: text("HEDDLE_STATE_ROOT"),
    program: text("HEDDLE_PROGRAM"),
    asRoot: environment.HEDDLE_AS_ROOT === "1",
    reducedIsolation: environment.HEDDLE_REDUCED_ISOLATION || undefined,
    controlPlane: text("HEDDLE_CONTROL_PLANE_PROGRAM"),
    supervisor: text("HEDDLE_SUPERVISOR_PROGRAM"),
  };
  return problems.length === 0 ? ok(settings) : err(problems);
};
