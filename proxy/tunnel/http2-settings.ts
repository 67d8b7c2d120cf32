import type { Http2Session, ServerSessionOptions } from "node:http2";
import type { TunnelLimits } from "./tunnel.ts";

/**
 * What queued data of all tunnels may take in one connection, in MB. Node's default of 10 refuses tunnels with
 * ENHANCE_YOUR_CALM while others have unsent data.
 */
const MAX_SESSION_MEMORY_MB = 256;
/** A busy caller ends thousands of tunnels with CANCEL; Node's default of 1,000 and 33 a second ends the connection. */
const RESET_BURST = 10_000;
const RESETS_PER_SECOND = 1_000;

/** What both sides say in SETTINGS. Node's own defaults break tunnels: 64 KiB windows, and no limit on streams. */
export const sessionOptions = (limits: TunnelLimits): ServerSessionOptions => ({
  settings: {
    initialWindowSize: limits.streamWindow,
    maxFrameSize: limits.maxFrameSize,
    maxHeaderListSize: limits.maxHeaderBytes,
    maxConcurrentStreams: limits.maxIncomingTunnels,
    enablePush: false,
  },
  maxSessionMemory: MAX_SESSION_MEMORY_MB,
  streamResetBurst: RESET_BURST,
  streamResetRate: RESETS_PER_SECOND,
});

/**
 * Sends PINGs, also while data flows, and destroys the session when one is not answered: a peer that is gone without a word is
 * found in `pingTimeoutMs` and not in the quarter of an hour that TCP takes.
 */
export const keepAlive = (session: Http2Session, limits: TunnelLimits): void => {
  let answeredAt = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - answeredAt > limits.pingIntervalMs + limits.pingTimeoutMs) {
      session.destroy(new Error(`no answer to PING for ${limits.pingTimeoutMs} ms`));
    } else if (!session.destroyed && !session.connecting) {
      session.ping((error) => {
        if (!error) answeredAt = performance.now();
      });
    }
  }, limits.pingIntervalMs);
  session.once("close", () => clearInterval(timer));
};
