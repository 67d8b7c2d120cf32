import { TunnelError } from "../../tunnel/tunnel.ts";
import type { ResponseFlag } from "../vitals/tcp-metrics.ts";
import { DialError } from "./dial.ts";
import { EndpointTlsError } from "./endpoint-tls.ts";
import { NoSocketError } from "./socket-stock.ts";
import { TunnelDialError, type TunnelDialStep } from "./tunnel-dial.ts";

/** A failure as telemetry names it. */
export interface UpstreamFailure {
  readonly flag: ResponseFlag;
  /** One of a small, closed set. */
  readonly reason: string;
  readonly message: string;
  /**
   * Whether it may be tried again, as nothing of the application has been sent: at another endpoint, or, where only the
   * connection of the tunnel was lost, anywhere.
   */
  readonly retry: "never" | "elsewhere" | "anywhere";
}

const STEPS: Readonly<Record<TunnelDialStep, readonly [ResponseFlag, string]>> = {
  "connect-timeout": ["NETWORK_POLICY", "tunnel-connect-timeout"],
  connect: ["CONNECT", "tunnel-connect-failed"],
  tls: ["TLS_FAILURE", "tunnel-tls-failed"],
  identity: ["IDENTITY_ERROR", "unexpected-identity"],
  settings: ["H2_HANDSHAKE_FAILURE", "tunnel-not-accepted"],
  "trust-domain": ["IDENTITY_ERROR", "foreign-trust-domain"],
};

const STATUSES: ReadonlyMap<number, readonly [ResponseFlag, string]> = new Map([
  [401, ["DENY", "denied-by-peer"]],
  [503, ["CONNECT", "peer-cannot-connect"]],
]);

/** What went wrong on the way to the other side. @throws what is none of the ways in which that can fail */
export const upstreamFailure = (error: unknown): UpstreamFailure => {
  if (error instanceof TunnelDialError) {
    const [flag, reason] = STEPS[error.step];
    return { flag, reason, message: error.message, retry: "elsewhere" };
  }
  if (error instanceof TunnelError) return tunnelFailure(error);
  if (error instanceof DialError) {
    const reason = error.errno === "ETIMEDOUT" ? "connect-timeout" : "connect-failed";
    return { flag: "CONNECT", reason, message: error.message, retry: "elsewhere" };
  }
  if (error instanceof EndpointTlsError) {
    return { flag: "TLS_FAILURE", reason: "endpoint-tls-failed", message: error.message, retry: "elsewhere" };
  }
  if (error instanceof NoSocketError) {
    return { flag: "CONNECT", reason: "no-socket", message: error.message, retry: "never" };
  }
  throw error;
};

const tunnelFailure = ({ kind, status, message }: TunnelError): UpstreamFailure => {
  if (kind === "broken") return { flag: "CONNECT", reason: "tunnel-broken", message, retry: "anywhere" };
  if (kind === "unanswered") return { flag: "CONNECT", reason: "tunnel-unanswered", message, retry: "never" };
  const [flag, reason] = STATUSES.get(status ?? 0) ?? ["CONNECT", "refused-by-peer"];
  // It has not reached the application: that ends before its pod does, or begins after.
  return { flag, reason, message, retry: status === 503 ? "elsewhere" : "never" };
};
