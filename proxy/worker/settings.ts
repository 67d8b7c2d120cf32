import { parseDuration } from "#mesh/duration.ts";
import { parseTrustDomain, type TrustDomain } from "#mesh/spiffe-id.ts";
import {
  ACCESS_LOG_MODES,
  ACCESS_LOG_RATE_PROBLEM,
  type AccessLogMode,
  modeAtLevel,
  parseAccessLogMode,
  parseAccessLogRate,
} from "../channel/access-log-mode.ts";
import { TUNNEL_LIMITS, type TunnelLimits } from "../tunnel/tunnel-limits.ts";

/** What a worker runs with, read once from its environment. Times in milliseconds. */
export interface WorkerSettings {
  readonly node: string;
  readonly cluster: string;
  readonly index: number;
  readonly trustDomain: TrustDomain;
  /** Which connections and requests get a line in the access log. */
  readonly accessLog: AccessLogMode;
  /** Lines of it a second and pod. */
  readonly accessLogRate: number;
  readonly accept: {
    /** How long connections to a new pod wait in the kernel for its record and certificate, before they are refused. */
    readonly startWaitMs: number;
    /** Captured connections and incoming tunnels of one pod at the same time. */
    readonly maxConnectionsPerPod: number;
  };
  readonly decrypt: {
    /** TLS handshakes of one pod under way at the same time. */
    readonly maxHandshakesPerPod: number;
    /** Tunnel connections to one pod at the same time. */
    readonly maxTunnelConnectionsPerPod: number;
  };
  readonly exchange: {
    /** A connection on which nothing moved in either direction for so long is ended. */
    readonly idleTimeoutMs: number;
  };
  readonly upstream: {
    readonly connectTimeoutMs: number;
    /** A tunnel connection without tunnels is closed after so long. */
    readonly tunnelIdleMs: number;
    readonly tunnel: TunnelLimits;
  };
}

const DEFAULTS = {
  HEDDLE_START_WAIT: "5s",
  HEDDLE_IDLE_TIMEOUT: "1h",
  HEDDLE_CONNECT_TIMEOUT: "10s",
  HEDDLE_TUNNEL_IDLE_TIMEOUT: "5m",
  HEDDLE_PING_INTERVAL: "10s",
  HEDDLE_PING_TIMEOUT: "20s",
} as const;

const MAX_CONNECTIONS_PER_POD = 20_000;
const MAX_HANDSHAKES_PER_POD = 512;
const MAX_TUNNEL_CONNECTIONS_PER_POD = 5_000;

/** @throws Error that lists every variable that is missing or wrong */
export const readSettings = (environment: NodeJS.ProcessEnv): WorkerSettings => {
  const problems: string[] = [];
  const duration = (name: keyof typeof DEFAULTS): number => {
    const parsed = parseDuration(environment[name] || DEFAULTS[name]);
    if (!parsed.ok) problems.push(`${name}: ${parsed.error}`);
    else if (parsed.value === 0 && name !== "HEDDLE_START_WAIT") problems.push(`${name} must be more than nothing`);
    return parsed.ok ? parsed.value : 0;
  };
  const number = (name: string): number => {
    const value = Number(environment[name] || Number.NaN);
    if (!Number.isInteger(value) || value < 0) problems.push(`${name} must be a number`);
    return value;
  };
  const trustDomain = parseTrustDomain(environment.HEDDLE_TRUST_DOMAIN || "cluster.local");
  if (!trustDomain.ok) problems.push(`HEDDLE_TRUST_DOMAIN: ${trustDomain.error}`);
  const accessLog = parseAccessLogMode(environment.HEDDLE_ACCESS_LOG);
  if (!accessLog) problems.push(`HEDDLE_ACCESS_LOG must be one of ${ACCESS_LOG_MODES.join(", ")}`);
  const accessLogRate = parseAccessLogRate(environment.HEDDLE_ACCESS_LOG_RATE);
  if (accessLogRate === undefined) problems.push(ACCESS_LOG_RATE_PROBLEM);
  const settings: WorkerSettings = {
    node: environment.HEDDLE_NODE ?? "",
    cluster: environment.HEDDLE_CLUSTER || "Kubernetes",
    index: number("HEDDLE_WORKER"),
    trustDomain: trustDomain.ok ? trustDomain.value : ("" as TrustDomain),
    accessLog: modeAtLevel(accessLog ?? "all", environment.HEDDLE_LOG_LEVEL ?? ""),
    accessLogRate: accessLogRate ?? 0,
    accept: { startWaitMs: duration("HEDDLE_START_WAIT"), maxConnectionsPerPod: MAX_CONNECTIONS_PER_POD },
    decrypt: {
      maxHandshakesPerPod: MAX_HANDSHAKES_PER_POD,
      maxTunnelConnectionsPerPod: MAX_TUNNEL_CONNECTIONS_PER_POD,
    },
    exchange: { idleTimeoutMs: duration("HEDDLE_IDLE_TIMEOUT") },
    upstream: {
      connectTimeoutMs: duration("HEDDLE_CONNECT_TIMEOUT"),
      tunnelIdleMs: duration("HEDDLE_TUNNEL_IDLE_TIMEOUT"),
      tunnel: {
        ...TUNNEL_LIMITS,
        pingIntervalMs: duration("HEDDLE_PING_INTERVAL"),
        pingTimeoutMs: duration("HEDDLE_PING_TIMEOUT"),
      },
    },
  };
  if (problems.length > 0) throw new Error(`settings: ${problems.join("; ")}`);
  return settings;
};
