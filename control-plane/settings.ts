import { formatDuration, parseDuration } from "#mesh/duration.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { parseSocketAddress, type SocketAddress } from "#mesh/socket-address.ts";
import { parseTrustDomain, type TrustDomain } from "#mesh/spiffe-id.ts";
import { parseDnsLabel } from "#mesh/objects/metadata.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";

/** Everything that can be set, read from the environment once. */
export interface Settings {
  readonly trustDomain: TrustDomain;
  /** Name of the cluster in workload ids, and what callers must say in `clusterid`. */
  readonly cluster: string;
  /** Policies in this namespace concern the whole mesh. */
  readonly rootNamespace: string;
  /** Whether routes need a ReferenceGrant to send requests to another namespace. */
  readonly areReferenceGrantsRequired: boolean;
  readonly objectsDirectory: string;
  /** Where the runtime writes what an API server would assign. Undefined: the objects say it themselves. */
  readonly assignedDirectory: string | undefined;
  readonly authorityDirectory: string;
  readonly publicDirectory: string;
  /** Where the statuses of objects are written to, for tools to read. Undefined: nowhere but at the admin API. */
  readonly statusDirectory: string | undefined;
  readonly listen: SocketAddress;
  readonly adminSocket: string;
  /** Lifetime of a leaf certificate where the caller asks for none or for more. */
  readonly leafLifetimeMs: number;
  readonly logLevel: LogLevel;
}

/** As istiod: a certificate that lives longer is no protection against a stolen key. */
export const MAX_LEAF_LIFETIME_MS = 90 * 24 * 3_600_000;
/** Shorter than this, renewal at half-life would not keep up with a restart of an agent. */
const MIN_LEAF_LIFETIME_MS = 5_000;
/** sockaddr_un.sun_path on Linux, without its terminator. */
const MAX_SOCKET_PATH_BYTES = 107;

/** @returns the settings, or every variable that is missing or wrong. */
export const readSettings = (
  env: Readonly<Record<string, string | undefined>>,
): Result<Settings, readonly string[]> => {
  const problems: string[] = [];
  const variable = <Value>(
    name: string,
    fallback: string | undefined,
    parse: (text: string) => Result<Value, string>,
  ) => readVariable(problems, name, given(env[name]) ?? fallback, parse);
  const settings: Settings = {
    trustDomain: variable("HEDDLE_TRUST_DOMAIN", "cluster.local", parseTrustDomain),
    cluster: variable("HEDDLE_CLUSTER", "Kubernetes", parseCluster),
    rootNamespace: variable("HEDDLE_ROOT_NAMESPACE", "istio-system", parseDnsLabel),
    areReferenceGrantsRequired: variable("HEDDLE_REQUIRE_REFERENCE_GRANTS", "false", parseFlag),
    objectsDirectory: variable("HEDDLE_OBJECTS_DIR", undefined, parsePath),
    assignedDirectory: given(env.HEDDLE_ASSIGNED_DIR),
    authorityDirectory: variable("HEDDLE_CA_DIR", undefined, parsePath),
    publicDirectory: variable("HEDDLE_PUBLIC_DIR", undefined, parsePath),
    statusDirectory: given(env.HEDDLE_STATUS_DIR),
    listen: variable("HEDDLE_LISTEN", undefined, parseListen),
    adminSocket: variable("HEDDLE_ADMIN_SOCKET", undefined, parseSocketPath),
    leafLifetimeMs: variable("HEDDLE_LEAF_LIFETIME", "24h", parseLeafLifetime),
    logLevel: variable("HEDDLE_LOG_LEVEL", "info", parseLogLevel),
  };
  return problems.length === 0 ? ok(settings) : err(problems);
};

/** An empty variable is one that nobody set. */
const given = (value: string | undefined): string | undefined => (value === "" ? undefined : value);

const readVariable = <Value>(
  problems: string[],
  name: string,
  text: string | undefined,
  parse: (text: string) => Result<Value, string>,
): Value => {
  const result: Result<Value, string> = text === undefined ? err("is not set, and has no default") : parse(text);
  if (result.ok) return result.value;
  problems.push(`${name}: ${result.error}`);
  return undefined as Value;
};

const parsePath = (text: string): Result<string, string> =>
  text.includes("\0") ? err("is not a path: it has a NUL byte") : ok(text);

const parseSocketPath = (text: string): Result<string, string> =>
  Buffer.byteLength(text) <= MAX_SOCKET_PATH_BYTES
    ? parsePath(text)
    : err(`${JSON.stringify(text)} is longer than a unix socket's path may be, ${MAX_SOCKET_PATH_BYTES} bytes`);

/** Becomes a part of workload ids, which are separated by slashes. */
const parseCluster = (text: string): Result<string, string> =>
  /^[A-Za-z0-9._-]{1,128}$/.test(text)
    ? ok(text)
    : err(`${JSON.stringify(text)} is not a cluster's name: letters, digits, dots, dashes, underscores, up to 128`);

/** Port 0 lets the system choose, which the log then tells. */
const parseListen = (text: string): Result<SocketAddress, string> => {
  const chosenBySystem = text.endsWith(":0");
  const parsed = parseSocketAddress(chosenBySystem ? `${text.slice(0, -1)}1` : text);
  return parsed.ok && chosenBySystem ? ok({ ...parsed.value, port: 0 }) : parsed;
};

const parseLeafLifetime = (text: string): Result<number, string> => {
  const parsed = parseDuration(text);
  if (!parsed.ok || (parsed.value >= MIN_LEAF_LIFETIME_MS && parsed.value <= MAX_LEAF_LIFETIME_MS)) return parsed;
  return err(
    `${text} is not between ${formatDuration(MIN_LEAF_LIFETIME_MS)} and ${formatDuration(MAX_LEAF_LIFETIME_MS)}`,
  );
};

const parseFlag = (text: string): Result<boolean, string> =>
  text === "true" || text === "false" ? ok(text === "true") : err(`${JSON.stringify(text)} is neither true nor false`);

const parseLogLevel = (text: string): Result<LogLevel, string> => {
  const level = LOG_LEVELS.find((candidate) => candidate === text);
  return level ? ok(level) : err(`${JSON.stringify(text)} is not one of ${LOG_LEVELS.join(", ")}`);
};
