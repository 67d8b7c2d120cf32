import type { Output } from "../../output.ts";
import { ERROR_CODE } from "../error-code.ts";
import { appendFrameHeader, FLAG, FRAME_TYPE } from "../frame-header.ts";
import { Http2ConnectionError } from "../http2-error.ts";
import { withoutPadding } from "./padding.ts";
import { PRIORITY_BYTES } from "./priority.ts";

/**
 * The fragment of the field block in a HEADERS frame: [Pad Length 8] [priority 40] fragment [padding] (RFC 9113 section 6.2).
 * The priority is deprecated and has no effect.
 * @throws Http2ConnectionError
 */
export const readHeadersFragment = (payload: Uint8Array, flags: number): Uint8Array => {
  const fragment = flags & FLAG.padded ? withoutPadding(payload) : payload;
  if ((flags & FLAG.priority) === 0) return fragment;
  if (fragment.length < PRIORITY_BYTES) {
    throw new Http2ConnectionError(ERROR_CODE.frameSizeError, "HEADERS too short for its priority");
  }
  return fragment.subarray(PRIORITY_BYTES);
};

/** A field block as one HEADERS frame, and CONTINUATION frames (section 6.10) where it is longer than the peer's frames may be. */
export const appendFieldBlock = (
  output: Output,
  streamId: number,
  block: Uint8Array,
  endStream: boolean,
  maxFrameBytes: number,
): void => {
  let from = 0;
  do {
    const to = Math.min(from + maxFrameBytes, block.length);
    const endHeaders = to === block.length ? FLAG.endHeaders : 0;
    const type = from === 0 ? FRAME_TYPE.headers : FRAME_TYPE.continuation;
    const flags = from === 0 && endStream ? endHeaders | FLAG.endStream : endHeaders;
    appendFrameHeader(output, to - from, type, flags, streamId);
    output.append(to - from === block.length ? block : block.subarray(from, to));
    from = to;
  } while (from < block.length);
};
