import type { Http2Limits } from "#wire/http2/limits.ts";
import type { Http2Patience } from "./http2-transport.ts";

/** What the proxy allows on every HTTP/2 connection. Sizes in bytes, times in milliseconds. */
export const HTTP2_LIMITS: { readonly limits: Http2Limits; readonly patience: Http2Patience } = {
  limits: {
    settings: {
      headerTableSize: 4096,
      maxConcurrentStreams: 100,
      initialWindowSize: 256 * 1024,
      maxFrameSize: 16 * 1024,
      maxHeaderListSize: 32 * 1024,
      enableConnectProtocol: false,
    },
    fields: { maxBytes: 32 * 1024, maxFields: 100, maxFieldBytes: 16 * 1024 },
    maxBlockBytes: 32 * 1024,
    maxContinuations: 8,
    connectionWindow: 1024 * 1024,
    maxStreamWindow: 1024 * 1024,
    maxConnectionWindow: 4 * 1024 * 1024,
    encoderTableBytes: 4096,
    maxSettingsPerFrame: 32,
    maxUnsentBytes: 256 * 1024,
  },
  patience: { settingsMs: 10_000, fieldBlockMs: 10_000, pingIntervalMs: 10_000, pingTimeoutMs: 20_000, closeMs: 1_000 },
};

/**
 * For connections to applications: gRPC servers end a connection that asks more often than every five minutes whether they are
 * there. A peer that is gone is left to the timeouts of requests.
 */
export const APPLICATION_PATIENCE: Http2Patience = { ...HTTP2_LIMITS.patience, pingIntervalMs: undefined };
