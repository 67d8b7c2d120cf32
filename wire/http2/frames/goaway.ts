import type { Output } from "../../output.ts";
import { ERROR_CODE, type ErrorCode } from "../error-code.ts";
import { beginFrame, FRAME_TYPE, readUint31, readUint32, writeUint32 } from "../frame-header.ts";
import { Http2ConnectionError } from "../http2-error.ts";

/** Last-Stream-ID 31, Error Code 32, Additional Debug Data (RFC 9113 section 6.8). */
export interface GoAway {
  /** Streams that we opened above it were not looked at, and may be tried again elsewhere. */
  readonly lastStreamId: number;
  readonly code: ErrorCode;
  /** What the peer says about it, at most 256 characters of what it sent, nothing unprintable. */
  readonly debug: string;
}

const FIXED_BYTES = 8;
const MAX_DEBUG_CHARACTERS = 256;

/** @throws Http2ConnectionError */
export const readGoAway = (payload: Uint8Array): GoAway => {
  if (payload.length < FIXED_BYTES) {
    throw new Http2ConnectionError(ERROR_CODE.frameSizeError, `GOAWAY of ${payload.length} bytes`);
  }
  const debug = String.fromCharCode(...payload.subarray(FIXED_BYTES, FIXED_BYTES + MAX_DEBUG_CHARACTERS));
  return {
    lastStreamId: readUint31(payload, 0),
    code: readUint32(payload, 4),
    debug: debug.replaceAll(/[^\x20-\x7e]/g, "?"),
  };
};

/** @param debug latin1, at most 256 characters of it are sent */
export const appendGoAway = (output: Output, { lastStreamId, code, debug }: GoAway): void => {
  const text = debug.slice(0, MAX_DEBUG_CHARACTERS);
  const at = beginFrame(output, FIXED_BYTES + text.length, FRAME_TYPE.goaway, 0, 0);
  writeUint32(output.slab, at, lastStreamId);
  writeUint32(output.slab, at + 4, code);
  for (let index = 0; index < text.length; index++) output.slab[at + FIXED_BYTES + index] = text.charCodeAt(index);
};
