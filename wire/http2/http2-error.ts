import { type ErrorCode, errorCodeName } from "./error-code.ts";

/**
 * The peer broke a rule after which nothing on the connection can be trusted any more (RFC 9113 section 5.4.1): it ends with
 * GOAWAY of this code. Codecs throw it; {@link Http2Connection} catches it.
 */
export class Http2ConnectionError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(`${message} (${errorCodeName(code)})`);
    this.name = "Http2ConnectionError";
    this.code = code;
  }
}

/** The peer broke a rule that concerns one stream (RFC 9113 section 5.4.2): it is reset with this code, the others go on. */
export class Http2StreamError extends Error {
  readonly code: ErrorCode;
  readonly streamId: number;

  constructor(streamId: number, code: ErrorCode, message: string) {
    super(`stream ${streamId}: ${message} (${errorCodeName(code)})`);
    this.name = "Http2StreamError";
    this.code = code;
    this.streamId = streamId;
  }
}
