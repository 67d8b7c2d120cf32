import { TunnelError } from "../../tunnel/tunnel.ts";
import type { ResponseFlag } from "../vitals/tcp-metrics.ts";
import { DialError } from "./dial.ts";
import { TunnelDialError, type TunnelDialStep } from "./tunnel-dial.ts";

/** A failure as telemetry names it. */
export interface UpstreamFailure {
  readonly flag: ResponseFlag;
  /** One of a small, closed set. */
  readonly reason: string;
  readonly message: string;
  /** Whether nothing reached the other side, so that another endpoint may be tried. */
  readonly isSafeToRetry: boolean;
}

const STEPS: Readonly<Record<TunnelDialStep, readonly [ResponseFlag, string]>> = {
  "connect-timeout": ["NETWORK_POLICY", "tunnel-connect-timeout"],
  connect: ["CONNECT", "tunnel-connect-failed"],
  tls: ["TLS_FAILURE", "tunnel-tls-failed"],
  identity: ["IDENTITY_ERROR", "unexpected-identity"],
  settings: ["H2_HANDSHAKE_FAILURE", "tunnel-not-accepted"],
};

const STATUSES: ReadonlyMap<number, readonly [ResponseFlag, string]> = new Map([
  [401, ["DENY", "denied-by-peer"]],
  [503, ["CONNECT", "peer-cannot-connect"]],
]);

/** What went wrong on the way to the other side. */
export const upstreamFailure = (error: unknown): UpstreamFailure => {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof TunnelDialError) {
    const [flag, reason] = STEPS[error.step];
    return { flag, reason, message, isSafeToRetry: true };
  }
  if (error instanceof TunnelError) {
    const [flag, reason] = (error.status !== undefined && STATUSES.get(error.status)) || ["CONNECT", "tunnel-broken"];
    return { flag, reason, message, isSafeToRetry: false };
  }
  if (error instanceof DialError) {
    const reason = error.errno === "ETIMEDOUT" ? "connect-timeout" : "connect-failed";
    return { flag: "CONNECT", reason, message, isSafeToRetry: true };
  }
  return { flag: "CONNECT", reason: "no-socket", message, isSafeToRetry: false };
};
