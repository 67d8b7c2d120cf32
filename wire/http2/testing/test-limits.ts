import type { Http2Limits } from "../limits.ts";
import type { Settings } from "../settings.ts";

const SETTINGS: Settings = {
  headerTableSize: 4096,
  maxConcurrentStreams: 100,
  initialWindowSize: 65_535,
  maxFrameSize: 16_384,
  maxHeaderListSize: 32 * 1024,
  enableConnectProtocol: true,
};

/** The bounds of the proxy, but windows as small as they may be and nothing that grows. */
export const TEST_LIMITS: Http2Limits = {
  settings: SETTINGS,
  fields: { maxBytes: 32 * 1024, maxFields: 100, maxFieldBytes: 16 * 1024 },
  maxBlockBytes: 32 * 1024,
  maxContinuations: 8,
  connectionWindow: 65_535,
  maxStreamWindow: 65_535,
  maxConnectionWindow: 65_535,
  encoderTableBytes: 4096,
  maxSettingsPerFrame: 32,
  maxUnsentBytes: 64 * 1024,
};

export const testLimits = (change: Partial<Http2Limits>, settings: Partial<Settings> = {}): Http2Limits => ({
  ...TEST_LIMITS,
  ...change,
  settings: { ...SETTINGS, ...settings },
});
