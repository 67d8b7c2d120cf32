import { ERROR_CODE } from "../error-code.ts";
import { Http2ConnectionError } from "../http2-error.ts";

/**
 * A payload without its padding: Pad Length 8, then what counts, then so many bytes that are ignored (RFC 9113 section 6.1).
 * @throws Http2ConnectionError if the padding is as long as the payload or longer
 */
export const withoutPadding = (payload: Uint8Array): Uint8Array => {
  const [padLength] = payload;
  if (padLength === undefined) throw new Http2ConnectionError(ERROR_CODE.frameSizeError, "padded frame of no bytes");
  if (padLength >= payload.length) throw paddingTooLong();
  return payload.subarray(1, payload.length - padLength);
};

export const paddingTooLong = (): Http2ConnectionError =>
  new Http2ConnectionError(ERROR_CODE.protocolError, "padding is not shorter than the frame");
