import { availableParallelism } from "node:os";

/** What the supervisor is told by whoever starts it, read once from the environment. */
export interface SupervisorSettings {
  readonly node: string;
  /** Folder of the enrolment socket. */
  readonly runDir: string;
  readonly workers: number;
  /** The agent's user id; worker k has the k-th after it. Undefined: only one user id is mapped, nobody changes his. */
  readonly firstUid: number | undefined;
  /** The project's tree, readable for the agent and the workers. */
  readonly program: string;
  /** Folder of the compile caches, one inside for each user id. */
  readonly cacheDir: string | undefined;
  /** Passed on as they are: nothing else of our own environment reaches the agent or a worker, NODE_OPTIONS least of all. */
  readonly agentEnvironment: Readonly<Record<string, string>>;
  readonly workerEnvironment: Readonly<Record<string, string>>;
}

/** More workers than this help nobody: a pod lives in one, and each costs memory. */
const MAX_WORKERS = 64;
const DEFAULT_WORKERS = 4;

const AGENT_VARIABLES = [
  "HEDDLE_NODE",
  "HEDDLE_CLUSTER",
  "HEDDLE_TRUST_DOMAIN",
  "HEDDLE_CONTROL_PLANE",
  "HEDDLE_CONTROL_PLANE_NAME",
  "HEDDLE_JOIN_TOKEN_FILE",
  "HEDDLE_ROOTS_FILE",
  "HEDDLE_AGENT_SOCKET",
  "HEDDLE_LEAF_LIFETIME",
  "HEDDLE_LOG_LEVEL",
  "HEDDLE_ACCESS_LOG",
] as const;

const WORKER_VARIABLES = [
  "HEDDLE_NODE",
  "HEDDLE_CLUSTER",
  "HEDDLE_TRUST_DOMAIN",
  "HEDDLE_START_WAIT",
  "HEDDLE_IDLE_TIMEOUT",
  "HEDDLE_CONNECT_TIMEOUT",
  "HEDDLE_TUNNEL_IDLE_TIMEOUT",
  "HEDDLE_PING_INTERVAL",
  "HEDDLE_PING_TIMEOUT",
] as const;

const pick = (environment: NodeJS.ProcessEnv, names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

/** Reads the environment. @throws Error that lists every variable that is missing or wrong. */
export const readSettings = (environment: NodeJS.ProcessEnv): SupervisorSettings => {
  const problems: string[] = [];
  const need = (name: string): string => {
    const value = environment[name] ?? "";
    if (value === "") problems.push(`${name} is not set`);
    return value;
  };
  const number = (name: string, fallback: number | undefined, max: number): number | undefined => {
    const value = environment[name] ?? "";
    if (value === "") return fallback;
    if (/^[0-9]{1,9}$/.test(value) && Number(value) >= 1 && Number(value) <= max) return Number(value);
    problems.push(`${name} must be a number from 1 to ${max}, not ${JSON.stringify(value)}`);
    return fallback;
  };
  const cacheDir = environment.HEDDLE_CACHE_DIR;
  const settings: SupervisorSettings = {
    node: need("HEDDLE_NODE"),
    runDir: need("HEDDLE_RUN_DIR"),
    workers: number("HEDDLE_WORKERS", undefined, MAX_WORKERS) ?? Math.min(availableParallelism(), DEFAULT_WORKERS),
    firstUid: number("HEDDLE_FIRST_UID", undefined, 2 ** 31),
    program: need("HEDDLE_PROGRAM"),
    cacheDir: cacheDir === "" ? undefined : cacheDir,
    agentEnvironment: pick(environment, AGENT_VARIABLES),
    workerEnvironment: pick(environment, WORKER_VARIABLES),
  };
  if (problems.length > 0) throw new Error(`settings: ${problems.join("; ")}`);
  return settings;
};
