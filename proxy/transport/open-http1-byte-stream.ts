import { Duplex } from "node:stream";
import type { Carrier } from "./carrier.ts";
import { type ByteStreamHandler, DuplexByteStream, type Http1ByteStream } from "./http1-byte-stream.ts";
import { TunnelByteStream } from "./http1-tunnel-stream.ts";

export const openHttp1ByteStream = (carrier: Carrier, handler: ByteStreamHandler): Http1ByteStream =>
  carrier instanceof Duplex ? new DuplexByteStream(carrier, handler) : new TunnelByteStream(carrier, handler);
