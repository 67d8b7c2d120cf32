import { ERROR_CODE } from "../error-code.ts";
import { Http2StreamError } from "../http2-error.ts";

/** Exclusive 1, stream dependency 31, weight 8: deprecated and without effect (RFC 9113 sections 5.3.2 and 6.3). */
export const PRIORITY_BYTES = 5;

/** Only the length of a PRIORITY frame can be wrong. @throws Http2StreamError */
export const checkPriority = (payload: Uint8Array, streamId: number): void => {
  if (payload.length === PRIORITY_BYTES) return;
  const message = `PRIORITY of ${payload.length} bytes instead of ${PRIORITY_BYTES}`;
  throw new Http2StreamError(streamId, ERROR_CODE.frameSizeError, message);
};
