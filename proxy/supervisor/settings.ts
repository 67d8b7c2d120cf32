import { availableParallelism } from "node:os";

/** What the supervisor is told by whoever starts it, read once from the environment. */
export interface SupervisorSettings {
  readonly node: string;
  /** Folder of the enrolment socket. */
  readonly runDir: string;
  readonly workers: number;
  /** What the connections of a supervisor that this one takes over from get to end by themselves. */
  readonly drainMs: number;
  /** How long agent and workers may take to be as ready as those that they replace. */
  readonly takeOverMs: number;
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
/** As long as Kubernetes gives a pod to end. */
const DEFAULT_DRAIN_SECONDS = 30;
const MAX_DRAIN_SECONDS = 24 * 3_600;
/** Starting takes a second or two; certificates from a busy control plane some more. */
const DEFAULT_TAKE_OVER_SECONDS = 30;

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
  "HEDDLE_ACCESS_LOG_RATE",
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
  "HEDDLE_LOG_LEVEL",
  "HEDDLE_ACCESS_LOG",
  "HEDDLE_ACCESS_LOG_RATE",
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
  const number = <Fallback extends number | undefined>(
    name: string,
    fallback: Fallback,
    max: number,
    min = 1,
  ): number | Fallback => {
    const value = environment[name] ?? "";
    if (value === "") return fallback;
    if (/^[0-9]{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value);
    problems.push(`${name} must be a number from ${min} to ${max}, not ${JSON.stringify(value)}`);
    return fallback;
  };
  const cacheDir = environment.HEDDLE_CACHE_DIR;
  const settings: SupervisorSettings = {
    node: need("HEDDLE_NODE"),
    runDir: need("HEDDLE_RUN_DIR"),
    workers: number("HEDDLE_WORKERS", Math.min(availableParallelism(), DEFAULT_WORKERS), MAX_WORKERS),
    drainMs: number("HEDDLE_DRAIN_SECONDS", DEFAULT_DRAIN_SECONDS, MAX_DRAIN_SECONDS, 0) * 1000,
    takeOverMs: number("HEDDLE_TAKE_OVER_SECONDS", DEFAULT_TAKE_OVER_SECONDS, MAX_DRAIN_SECONDS) * 1000,
    firstUid: number("HEDDLE_FIRST_UID", undefined, 2 ** 31),
    program: need("HEDDLE_PROGRAM"),
    cacheDir: cacheDir === "" ? undefined : cacheDir,
    agentEnvironment: pick(environment, AGENT_VARIABLES),
    workerEnvironment: pick(environment, WORKER_VARIABLES),
  };
  if (problems.length > 0) throw new Error(`settings: ${problems.join("; ")}`);
  return settings;
};
