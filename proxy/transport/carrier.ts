import type { Duplex } from "node:stream";
import type { ByteStream } from "../tunnel/byte-stream.ts";

/** What carries a connection of HTTP: a socket or TLS, or a tunnel. */
export type Carrier = Duplex | ByteStream;
