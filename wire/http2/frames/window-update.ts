import type { Output } from "../../output.ts";
import { ERROR_CODE } from "../error-code.ts";
import { beginFrame, FRAME_TYPE, readUint31, writeUint32 } from "../frame-header.ts";
import { Http2ConnectionError } from "../http2-error.ts";

const BYTES = 4;

/** Window Size Increment 31 (RFC 9113 section 6.9). @returns 0 too, which the caller judges. @throws Http2ConnectionError */
export const readWindowUpdate = (payload: Uint8Array): number => {
  if (payload.length === BYTES) return readUint31(payload, 0);
  throw new Http2ConnectionError(ERROR_CODE.frameSizeError, `WINDOW_UPDATE of ${payload.length} bytes instead of 4`);
};

/** @param increment 1 to 2^31-1 */
export const appendWindowUpdate = (output: Output, streamId: number, increment: number): void => {
  const at = beginFrame(output, BYTES, FRAME_TYPE.windowUpdate, 0, streamId);
  writeUint32(output.slab, at, increment);
};
