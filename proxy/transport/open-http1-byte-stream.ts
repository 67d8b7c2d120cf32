import { Duplex } from "node:stream";
import type { ByteStream } from "../tunnel/byte-stream.ts";
import { type ByteStreamHandler, DuplexByteStream, type Http1ByteStream } from "./http1-byte-stream.ts";
import { TunnelByteStream } from "./http1-tunnel-stream.ts";

/** What carries HTTP/1: a socket or TLS, or a tunnel. */
export type Http1Carrier = Duplex | ByteStream;

export const openHttp1ByteStream = (carrier: Http1Carrier, handler: ByteStreamHandler): Http1ByteStream =>
  carrier instanceof Duplex ? new DuplexByteStream(carrier, handler) : new TunnelByteStream(carrier, handler);
