import { parseDuration } from "#mesh/duration.ts";
import { parseTrustDomain, type TrustDomain } from "#mesh/spiffe-id.ts";
import {
  ACCESS_LOG_MODES,
  ACCESS_LOG_RATE_PROBLEM,
  type AccessLogMode,
  parseAccessLogMode,
  parseAccessLogRate,
} from "../channel/access-log-mode.ts";

/** What the agent runs with, read once from its environment. */
export interface AgentSettings {
  readonly node: string;
  readonly cluster: string;
  readonly trustDomain: TrustDomain;
  readonly isolation: "full" | "reduced";
  readonly controlPlane: {
    /** `host:port` */
    readonly address: string;
    /** The name its certificate must carry. */
    readonly name: string;
    /** Read anew for every call. */
    readonly joinTokenFile: string;
    /** PEM; read anew for every connection. */
    readonly rootsFile: string;
    /** Which set of the node's processes this is: an upgrade has two side by side. */
    readonly instance: string;
  };
  /** Path of the unix socket of the admin API. */
  readonly adminSocket: string;
  readonly leafLifetimeMs: number;
  readonly logLevel: string;
  /** Which connections and requests get a line in the access log. */
  readonly accessLog: AccessLogMode;
  /** Lines of it a second and pod; what is more is left out and counted. */
  readonly accessLogRate: number;
}

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"];

/** @throws Error that lists every variable that is missing or wrong */
export const readSettings = (environment: NodeJS.ProcessEnv): AgentSettings => {
  const problems: string[] = [];
  const need = (name: string, fallback = ""): string => {
    const value = environment[name] || fallback;
    if (value === "") problems.push(`${name} is not set`);
    return value;
  };
  const trustDomain = parseTrustDomain(environment.HEDDLE_TRUST_DOMAIN || "cluster.local");
  if (!trustDomain.ok) problems.push(`HEDDLE_TRUST_DOMAIN: ${trustDomain.error}`);
  const leafLifetime = parseDuration(environment.HEDDLE_LEAF_LIFETIME || "24h");
  if (!leafLifetime.ok) problems.push(`HEDDLE_LEAF_LIFETIME: ${leafLifetime.error}`);
  // A certificate is asked for in whole seconds, and none at all means "as long as the authority likes".
  else if (leafLifetime.value < 1_000) problems.push("HEDDLE_LEAF_LIFETIME must be a second or more");
  const logLevel = environment.HEDDLE_LOG_LEVEL || "info";
  if (!LOG_LEVELS.includes(logLevel)) problems.push(`HEDDLE_LOG_LEVEL must be one of ${LOG_LEVELS.join(", ")}`);
  const accessLog = parseAccessLogMode(environment.HEDDLE_ACCESS_LOG);
  if (!accessLog) problems.push(`HEDDLE_ACCESS_LOG must be one of ${ACCESS_LOG_MODES.join(", ")}`);
  const accessLogRate = parseAccessLogRate(environment.HEDDLE_ACCESS_LOG_RATE);
  if (accessLogRate === undefined) problems.push(ACCESS_LOG_RATE_PROBLEM);
  const settings: AgentSettings = {
    node: need("HEDDLE_NODE"),
    cluster: need("HEDDLE_CLUSTER", "Kubernetes"),
    trustDomain: trustDomain.ok ? trustDomain.value : ("" as TrustDomain),
    isolation: environment.HEDDLE_ISOLATION === "full" ? "full" : "reduced",
    controlPlane: {
      address: need("HEDDLE_CONTROL_PLANE"),
      name: need("HEDDLE_CONTROL_PLANE_NAME", "heddle-control-plane.heddle-system.svc"),
      joinTokenFile: need("HEDDLE_JOIN_TOKEN_FILE"),
      rootsFile: need("HEDDLE_ROOTS_FILE"),
      instance: environment.HEDDLE_INSTANCE ?? "",
    },
    adminSocket: need("HEDDLE_AGENT_SOCKET"),
    leafLifetimeMs: leafLifetime.ok ? leafLifetime.value : 0,
    logLevel,
    accessLog: accessLog ?? "all",
    accessLogRate: accessLogRate ?? 0,
  };
  if (problems.length > 0) throw new Error(`settings: ${problems.join("; ")}`);
  return settings;
};
