import type { Http2Limits } from "#wire/http2/limits.ts";
import type { Http2Patience } from "../transport/http2-transport.ts";

/** Bounds of a tunnel connection, the same for both sides. Sizes in bytes. */
export interface TunnelLimits {
  /** What one tunnel may hold at first for a reader that does not read; it grows for readers that keep up. */
  readonly streamWindow: number;
  readonly maxStreamWindow: number;
  /** Several times a stream's, so that one slow tunnel does not stop the others. */
  readonly connectionWindow: number;
  readonly maxConnectionWindow: number;
  readonly maxFrameSize: number;
  readonly maxHeaderBytes: number;
  /** Tunnels that we open on one connection. */
  readonly maxTunnels: number;
  /** Tunnels that a caller may open on one connection. */
  readonly maxIncomingTunnels: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** How long the other end may take from the end of the TLS handshake to its SETTINGS. */
  readonly settingsTimeoutMs: number;
  /** How long the other end may take to answer a request; it connects to the application meanwhile. */
  readonly answerTimeoutMs: number;
}

export const TUNNEL_LIMITS: TunnelLimits = {
  streamWindow: 256 * 1024,
  maxStreamWindow: 4 * 1024 * 1024,
  connectionWindow: 1024 * 1024,
  maxConnectionWindow: 16 * 1024 * 1024,
  // Data are handed on as they come, so that a large frame needs no more memory than a small one; ztunnel's number.
  maxFrameSize: 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxTunnels: 100,
  maxIncomingTunnels: 200,
  pingIntervalMs: 10_000,
  pingTimeoutMs: 20_000,
  settingsTimeoutMs: 10_000,
  // The other end gives up on its application after 10 s, and says so.
  answerTimeoutMs: 15_000,
};

/** Headers of a tunnel are a handful. */
const MAX_FIELDS = 50;
/** Ours are the same for every tunnel of a connection but for the addresses: a small table holds them. */
const TABLE_BYTES = 4096;
const MAX_SETTINGS = 32;
const MAX_CONTINUATIONS = 4;
const MAX_UNSENT_BYTES = 1024 * 1024;
const FIELD_BLOCK_MS = 10_000;
const CLOSE_MS = 1_000;

/** What the tunnel's HTTP/2 connection allows. */
export const http2Limits = (limits: TunnelLimits): Http2Limits => ({
  settings: {
    headerTableSize: TABLE_BYTES,
    maxConcurrentStreams: limits.maxIncomingTunnels,
    initialWindowSize: limits.streamWindow,
    maxFrameSize: limits.maxFrameSize,
    maxHeaderListSize: limits.maxHeaderBytes,
    enableConnectProtocol: false,
  },
  fields: { maxBytes: limits.maxHeaderBytes, maxFields: MAX_FIELDS, maxFieldBytes: limits.maxHeaderBytes },
  maxBlockBytes: limits.maxHeaderBytes,
  maxContinuations: MAX_CONTINUATIONS,
  connectionWindow: limits.connectionWindow,
  maxStreamWindow: limits.maxStreamWindow,
  maxConnectionWindow: limits.maxConnectionWindow,
  encoderTableBytes: TABLE_BYTES,
  maxSettingsPerFrame: MAX_SETTINGS,
  maxUnsentBytes: MAX_UNSENT_BYTES,
});

/** How long the other end may take. */
export const http2Patience = (limits: TunnelLimits): Http2Patience => ({
  settingsMs: limits.settingsTimeoutMs,
  fieldBlockMs: FIELD_BLOCK_MS,
  pingIntervalMs: limits.pingIntervalMs,
  pingTimeoutMs: limits.pingTimeoutMs,
  closeMs: CLOSE_MS,
});
