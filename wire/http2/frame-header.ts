import type { Output } from "../output.ts";

/** Frame types (RFC 9113 section 6). */
export const FRAME_TYPE = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

/** Flags; the same bit means different things in different types. */
export const FLAG = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** Length 24, type 8, flags 8, reserved 1, stream identifier 31 bits (RFC 9113 section 4.1). */
export const FRAME_HEADER_BYTES = 9;

/** What precedes each payload. */
export interface FrameHeader {
  /** Bytes of the payload. */
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
}

/** @param bytes at least nine from `at` on */
export const readFrameHeader = (bytes: Uint8Array, at: number): FrameHeader => ({
  length: ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number),
  type: bytes[at + 3] as number,
  flags: bytes[at + 4] as number,
  streamId: readUint31(bytes, at + 5),
});

/** Reserves a whole frame, writes its header, and says where the payload begins. */
export const beginFrame = (output: Output, length: number, type: number, flags: number, streamId: number): number => {
  const at = output.reserve(FRAME_HEADER_BYTES + length);
  writeFrameHeader(output.slab, at, length, type, flags, streamId);
  return at + FRAME_HEADER_BYTES;
};

/** Writes the header alone; the payload follows by other means. */
export const appendFrameHeader = (
  output: Output,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void => {
  const at = output.reserve(FRAME_HEADER_BYTES);
  writeFrameHeader(output.slab, at, length, type, flags, streamId);
};

const writeFrameHeader = (
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void => {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  writeUint32(bytes, at + 5, streamId);
};

/** The highest bit is reserved and has no meaning (RFC 9113 sections 4.1 and 6). */
export const readUint31 = (bytes: Uint8Array, at: number): number => readUint32(bytes, at) & 0x7fffffff;

export const readUint32 = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)) >>>
  0;

export const writeUint32 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
};
