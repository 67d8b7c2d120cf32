/**
 * What agent and worker say to each other over their stream:
 *
 *   u32 length of what follows | u32 length of the head | head (JSON) | body        (little-endian)
 *
 * The agent reads frames of a worker as hostile text: see worker-report.ts.
 */
export interface Frame {
  readonly head: unknown;
  readonly body: Uint8Array;
}

/** The largest resource that the control plane may send, and with it its name and kind. */
export const MAX_RESOURCE_BYTES = 16 * 1024 * 1024;
export const MAX_RESOURCE_NAME = 4096;
export const MAX_DOWN_FRAME_BYTES = MAX_RESOURCE_BYTES + 64 * 1024;
/** Counters and flows are sent in parts, so that no worker needs more. */
export const MAX_UP_FRAME_BYTES = 1024 * 1024;

const NO_BODY = new Uint8Array(0);
const PREFIX_BYTES = 8;

/** @returns the bytes to write, in one piece */
export const encodeFrame = (head: unknown, body: Uint8Array = NO_BODY): Uint8Array => {
  const headBytes = Buffer.from(JSON.stringify(head));
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + headBytes.length + body.length);
  frame.writeUInt32LE(4 + headBytes.length + body.length, 0);
  frame.writeUInt32LE(headBytes.length, 4);
  headBytes.copy(frame, PREFIX_BYTES);
  frame.set(body, PREFIX_BYTES + headBytes.length);
  return frame;
};

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #held = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns the frames that are complete. @throws Error on a frame that is too long or malformed: end the stream then. */
  push(chunk: Uint8Array): readonly Frame[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < PREFIX_BYTES || this.#held < this.#wanted()) return [];
    let bytes = Buffer.concat(this.#chunks);
    const frames: Frame[] = [];
    while (bytes.length >= PREFIX_BYTES) {
      const end = 4 + this.#length(bytes);
      if (bytes.length < end) break;
      frames.push(decodeFrame(bytes.subarray(4, end)));
      bytes = bytes.subarray(end);
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#held = bytes.length;
    return frames;
  }

  /** How many bytes the first frame has; only its prefix needs to be in the first chunks. */
  #wanted(): number {
    const [first = NO_BODY] = this.#chunks;
    if (first.length < PREFIX_BYTES) this.#chunks = [Buffer.concat(this.#chunks)];
    return 4 + this.#length(this.#chunks[0] ?? NO_BODY);
  }

  #length(bytes: Uint8Array): number {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (length > this.#maxBytes) throw new Error(`a frame of ${length} bytes is longer than ${this.#maxBytes}`);
    return length;
  }
}

const decodeFrame = (bytes: Uint8Array): Frame => {
  const headLength = bytes.length < 4 ? Infinity : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (headLength > bytes.length - 4) throw new Error("a frame is shorter than its head");
  const head: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + 4, headLength).toString());
  return { head, body: bytes.subarray(4 + headLength) };
};
