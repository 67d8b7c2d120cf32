import { constants, type Http2Stream } from "node:http2";
import type { ByteStream } from "./tunnel.ts";

/** A tunnel on node:http2. A connection that broke at the other side is CONNECT_ERROR (RFC 9113 section 8.5). */
export const http2ByteStream = (stream: Http2Stream): ByteStream => ({
  duplex: stream,
  reset: () => {
    if (!stream.closed) stream.close(constants.NGHTTP2_CONNECT_ERROR);
    stream.destroy();
  },
});
