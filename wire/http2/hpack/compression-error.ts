import { ERROR_CODE } from "../error-code.ts";
import { Http2ConnectionError } from "../http2-error.ts";

/** A field block that cannot be read: the tables of both ends may differ from now on, so the connection ends (RFC 9113 section 4.3). */
export const compressionError = (message: string): Http2ConnectionError =>
  new Http2ConnectionError(ERROR_CODE.compressionError, message);
