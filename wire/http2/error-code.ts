/** Error codes of RST_STREAM and GOAWAY (RFC 9113 section 7). */
export const ERROR_CODE = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  connectError: 0xa,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
} as const;

/** A code as it came: unknown ones are kept, and mean what internalError means (RFC 9113 section 7). */
export type ErrorCode = number;

const NAMES = new Map<number, string>(Object.entries(ERROR_CODE).map(([name, code]) => [code, name]));

/** What a log calls a code: `enhanceYourCalm`, or `0x1f` for one that nobody has defined. */
export const errorCodeName = (code: ErrorCode): string => NAMES.get(code) ?? `0x${code.toString(16)}`;
