import type { Output } from "../../output.ts";
import { appendFrameHeader, FLAG, FRAME_TYPE } from "../frame-header.ts";

/**
 * [Pad Length 8] data [padding] (RFC 9113 section 6.1). How it is read stands in {@link FrameReader}, which hands the data on
 * before the frame is complete. We never pad.
 */
export const appendData = (output: Output, streamId: number, bytes: Uint8Array, endStream: boolean): void => {
  appendFrameHeader(output, bytes.length, FRAME_TYPE.data, endStream ? FLAG.endStream : 0, streamId);
  if (bytes.length > 0) output.append(bytes);
};
