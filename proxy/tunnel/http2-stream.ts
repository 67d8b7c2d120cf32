import { constants, type Http2Stream } from "node:http2";
import type { ByteStream } from "./tunnel.ts";

const { NGHTTP2_NO_ERROR, NGHTTP2_CONNECT_ERROR } = constants;

/** A tunnel on node:http2. A connection that broke at the other side is CONNECT_ERROR (RFC 9113 section 8.5). */
export const http2ByteStream = (stream: Http2Stream): ByteStream => ({
  duplex: stream,
  get isBroken() {
    return (stream.rstCode ?? NGHTTP2_NO_ERROR) !== NGHTTP2_NO_ERROR;
  },
  reset: () => {
    if (!stream.closed) {
      // close() ends the stream before it resets it, and the other end would take what it has for everything.
      stream.end = () => stream;
      stream.close(NGHTTP2_CONNECT_ERROR);
    }
    stream.destroy();
  },
});
