import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** As much as one read of a busy socket brings. */
const BUFFER_BYTES = 64 * 1024;
/**
 * A socket's first read brings no more, and each that was filled is followed by a larger one. Who asks for a hundred large answers,
 * none of which can be handed on, has so much of each held (H2-21), and not 64 KiB.
 */
const FIRST_READ_BYTES = 1024;
const GROWTH = 4;

/**
 * Reads what comes from a stream of bytes. Node.js gives each read of a socket 64 KiB of its own and shrinks them afterwards:
 * collecting these took a fifth of the worker's CPU with many small reads, and half of it with bulk data. Instead all sockets
 * read into one buffer.
 * @param onBytes what it gets is lent: the next read of any socket writes to it
 */
export const readLent = (stream: Duplex, onBytes: (bytes: Uint8Array) => void): void => {
  // Also what was read before anybody asked: it comes first.
  stream.on("data", onBytes);
  if (FIELDS && stream instanceof Socket) readShared(stream as Internals, FIELDS, onBytes);
};

/** What `onread`, which Node.js offers for sockets that it connects itself, does; accepted and TLS sockets take it as well. */
const readShared = (socket: Internals, fields: Fields, onBytes: (bytes: Uint8Array) => void): void => {
  const { _handle: handle } = socket;
  if (typeof handle?.useUserBuffer !== "function") return;
  let buffer = FIRST;
  let isFilled = false;
  socket[fields.buffer] = buffer;
  socket[fields.callback] = (length: number): boolean => {
    isFilled = length === buffer.length;
    onBytes(buffer.subarray(0, length));
    return true;
  };
  socket[fields.next] = (): Buffer | undefined => {
    if (!isFilled || buffer.length === BUFFER_BYTES) return undefined;
    buffer = SHARED.subarray(0, GROWTH * buffer.length);
    return buffer;
  };
  handle.useUserBuffer(buffer);
};

type Internals = Socket & { _handle?: { useUserBuffer?: (buffer: Uint8Array) => void } } & Record<symbol, unknown>;

/** The fields of a socket in which Node.js keeps what `onread` is. */
interface Fields {
  readonly buffer: symbol;
  readonly callback: symbol;
  /** Asked after each read for the buffer of the next, if it is another. */
  readonly next: symbol;
}

/** Undefined where this Node.js keeps them elsewhere: then sockets are read as everybody does. */
const findFields = (): Fields | undefined => {
  const symbols = Object.getOwnPropertySymbols(new Socket());
  const [buffer, callback, next] = ["kBuffer", "kBufferCb", "kBufferGen"].map((name) =>
    symbols.find(({ description }) => description === name),
  );
  return buffer && callback && next ? { buffer, callback, next } : undefined;
};

const FIELDS = findFields();
const SHARED = Buffer.allocUnsafeSlow(BUFFER_BYTES);
const FIRST = SHARED.subarray(0, FIRST_READ_BYTES);
