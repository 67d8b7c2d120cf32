import type { BlockCursor } from "./block-cursor.ts";
import type { BlockWriter } from "./block-writer.ts";
import { compressionError } from "./compression-error.ts";

// An integer fills the low bits of its first byte, its prefix. Where it is too large for them they are all ones, and what is
// above follows in groups of seven bits, lowest first, the high bit of each byte saying that another one follows (RFC 7541
// section 5.1).

/** No index, length or table size is larger: SETTINGS_HEADER_TABLE_SIZE has 32 bits. */
export const MAX_INTEGER = 2 ** 32 - 1;
/** As many as {@link MAX_INTEGER} needs. More can only be leading zeros. */
const MAX_CONTINUATION_BYTES = 5;
/** Of an integer that is written: the byte with the prefix, and what continues it. */
export const MAX_INTEGER_BYTES = 1 + MAX_CONTINUATION_BYTES;

/**
 * @param first the byte with the prefix, behind which the cursor stands
 * @throws Http2ConnectionError where it is truncated, above {@link MAX_INTEGER}, or longer than that one needs
 */
export const readInteger = (cursor: BlockCursor, first: number, prefixBits: number): number => {
  const largest = (1 << prefixBits) - 1;
  const value = first & largest;
  return value < largest ? value : readContinuation(cursor, largest);
};

const readContinuation = (cursor: BlockCursor, prefix: number): number => {
  let value = prefix;
  let weight = 1;
  for (let count = 0; count < MAX_CONTINUATION_BYTES; count++) {
    if (cursor.at === cursor.block.length) throw compressionError("field block ends within an integer");
    const byte = cursor.block[cursor.at++] as number;
    value += (byte & 0x7f) * weight;
    if (value > MAX_INTEGER) throw compressionError("integer of a field block above 2^32 - 1");
    if (byte < 0x80) return value;
    weight *= 0x80;
  }
  throw compressionError(`integer of a field block longer than ${MAX_INTEGER_BYTES} bytes`);
};

/** @param pattern the bits above the prefix; {@link MAX_INTEGER_BYTES} must be reserved */
export const writeInteger = (writer: BlockWriter, pattern: number, prefixBits: number, value: number): void => {
  const { slab } = writer;
  const largest = (1 << prefixBits) - 1;
  if (value < largest) {
    slab[writer.at++] = pattern | value;
    return;
  }
  slab[writer.at++] = pattern | largest;
  let rest = value - largest;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) slab[writer.at++] = (rest % 0x80) | 0x80;
  slab[writer.at++] = rest;
};
