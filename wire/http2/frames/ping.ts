import type { Output } from "../../output.ts";
import { ERROR_CODE } from "../error-code.ts";
import { beginFrame, FLAG, FRAME_TYPE } from "../frame-header.ts";
import { Http2ConnectionError } from "../http2-error.ts";

const BYTES = 8;

/** Opaque Data 64 (RFC 9113 section 6.7). @throws Http2ConnectionError */
export const checkPing = (payload: Uint8Array): void => {
  if (payload.length === BYTES) return;
  throw new Http2ConnectionError(ERROR_CODE.frameSizeError, `PING of ${payload.length} bytes instead of 8`);
};

/** @param opaque eight bytes */
export const appendPing = (output: Output, opaque: Uint8Array, isAck: boolean): void => {
  const at = beginFrame(output, BYTES, FRAME_TYPE.ping, isAck ? FLAG.ack : 0, 0);
  output.slab.set(opaque, at);
};
