import { ERROR_CODE } from "./error-code.ts";
import { FLAG, FRAME_HEADER_BYTES, FRAME_TYPE, type FrameHeader, readFrameHeader } from "./frame-header.ts";
import { paddingTooLong } from "./frames/padding.ts";
import { Http2ConnectionError } from "./http2-error.ts";

/** What a reader finds. DATA comes in pieces, as it arrived; every other frame comes whole. */
export interface FrameHandler {
  frame(header: FrameHeader, payload: Uint8Array): void;
  dataBegins(header: FrameHeader): void;
  /** @param bytes a view on what was read: valid as long as nobody writes to that */
  data(bytes: Uint8Array): void;
  dataEnds(): void;
}

/**
 * Cuts a stream of bytes into frames. What it holds of a frame that is not complete is what was received of it, and never
 * room for what was only announced.
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #maxFrameBytes: number;
  /** Of the frame whose payload is being read. */
  #header: FrameHeader | undefined;
  /** Received bytes of a header or payload that is not complete. */
  #pieces: Uint8Array[] = [];
  #held = 0;
  /** Bytes of the current DATA frame that are still to come: the data themselves, and the padding. */
  #data = 0;
  #padding = 0;
  #needsPadLength = false;
  #isStopped = false;
  #isPaused = false;

  /** @param maxFrameBytes our SETTINGS_MAX_FRAME_SIZE */
  constructor(maxFrameBytes: number, handler: FrameHandler) {
    this.#maxFrameBytes = maxFrameBytes;
    this.#handler = handler;
  }

  /**
   * @returns how many bytes were read: all of them, unless a handler called {@link pause}
   * @throws Http2ConnectionError, and whatever the handler throws; nothing may be read afterwards
   */
  read(chunk: Uint8Array): number {
    let at = 0;
    this.#isPaused = false;
    while (at < chunk.length && !this.#isPaused) {
      if (this.#isStopped) return chunk.length;
      if (!this.#header) at = this.#readHeader(chunk, at);
      else if (this.#header.type === FRAME_TYPE.data) at = this.#readData(chunk, at);
      else at = this.#readPayload(chunk, at, this.#header);
    }
    return this.#isStopped ? chunk.length : at;
  }

  /** The rest of the chunk is left for the next {@link read}. */
  pause(): void {
    this.#isPaused = true;
  }

  /** The rest of what was read is not looked at: for handlers that end the connection. */
  stop(): void {
    this.#isStopped = true;
  }

  #readHeader(chunk: Uint8Array, at: number): number {
    const missing = FRAME_HEADER_BYTES - this.#held;
    if (chunk.length - at < missing) return this.#hold(chunk, at);
    const header =
      this.#held === 0 ? readFrameHeader(chunk, at) : readFrameHeader(this.#release(chunk, at, missing), 0);
    if (header.length > this.#maxFrameBytes) {
      const message = `frame of ${header.length} bytes, more than ${this.#maxFrameBytes}`;
      throw new Http2ConnectionError(ERROR_CODE.frameSizeError, message);
    }
    this.#begin(header);
    return at + missing;
  }

  #begin(header: FrameHeader): void {
    if (header.type !== FRAME_TYPE.data) {
      if (header.length === 0) this.#handler.frame(header, EMPTY);
      else this.#header = header;
      return;
    }
    this.#handler.dataBegins(header);
    this.#needsPadLength = (header.flags & FLAG.padded) !== 0;
    if (this.#needsPadLength && header.length === 0) {
      throw new Http2ConnectionError(ERROR_CODE.frameSizeError, "padded frame of no bytes");
    }
    this.#data = header.length;
    this.#padding = 0;
    if (header.length === 0) this.#handler.dataEnds();
    else this.#header = header;
  }

  #readData(chunk: Uint8Array, start: number): number {
    let at = start;
    if (this.#needsPadLength) {
      this.#needsPadLength = false;
      this.#padding = chunk[at++] as number;
      this.#data -= 1 + this.#padding;
      if (this.#data < 0) throw paddingTooLong();
    }
    const bytes = Math.min(this.#data, chunk.length - at);
    if (bytes > 0) this.#handler.data(chunk.subarray(at, at + bytes));
    this.#data -= bytes;
    at += bytes;
    const padding = Math.min(this.#padding, chunk.length - at);
    this.#padding -= padding;
    if (this.#data === 0 && this.#padding === 0) {
      this.#header = undefined;
      this.#handler.dataEnds();
    }
    return at + padding;
  }

  #readPayload(chunk: Uint8Array, at: number, header: FrameHeader): number {
    const missing = header.length - this.#held;
    if (chunk.length - at < missing) return this.#hold(chunk, at);
    const payload = this.#held === 0 ? chunk.subarray(at, at + missing) : this.#release(chunk, at, missing);
    this.#header = undefined;
    this.#handler.frame(header, payload);
    return at + missing;
  }

  /**
   * Keeps the rest of a chunk until more comes. A copy: a view would keep all that was read with it. (`slice` of a Buffer is a
   * view.)
   */
  #hold(chunk: Uint8Array, at: number): number {
    const rest = chunk.subarray(at);
    const last = this.#pieces.at(-1);
    if (last && last.length + rest.length <= MIN_PIECE_BYTES) {
      const joined = new Uint8Array(last.length + rest.length);
      joined.set(last);
      joined.set(rest, last.length);
      this.#pieces[this.#pieces.length - 1] = joined;
    } else {
      this.#pieces.push(new Uint8Array(rest));
    }
    this.#held += rest.length;
    return chunk.length;
  }

  /** What is held and the next bytes of a chunk, in one piece. */
  #release(chunk: Uint8Array, at: number, bytes: number): Uint8Array {
    const whole = new Uint8Array(this.#held + bytes);
    let to = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, to);
      to += piece.length;
    }
    whole.set(chunk.subarray(at, at + bytes), to);
    this.#pieces = [];
    this.#held = 0;
    return whole;
  }
}

/** Up to this length pieces are joined, so that a peer that sends byte by byte does not make us hold an object for each. */
const MIN_PIECE_BYTES = 256;

const EMPTY = new Uint8Array(0);
