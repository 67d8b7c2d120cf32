import type { Output } from "../../output.ts";
import { ERROR_CODE, type ErrorCode } from "../error-code.ts";
import { beginFrame, FRAME_TYPE, readUint32, writeUint32 } from "../frame-header.ts";
import { Http2ConnectionError } from "../http2-error.ts";

const BYTES = 4;

/** Error Code 32 (RFC 9113 section 6.4). @throws Http2ConnectionError */
export const readRstStream = (payload: Uint8Array): ErrorCode => {
  if (payload.length === BYTES) return readUint32(payload, 0);
  throw new Http2ConnectionError(ERROR_CODE.frameSizeError, `RST_STREAM of ${payload.length} bytes instead of 4`);
};

export const appendRstStream = (output: Output, streamId: number, code: ErrorCode): void => {
  const at = beginFrame(output, BYTES, FRAME_TYPE.rstStream, 0, streamId);
  writeUint32(output.slab, at, code);
};
