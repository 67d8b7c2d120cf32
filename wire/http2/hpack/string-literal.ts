import type { BlockCursor } from "./block-cursor.ts";
import type { BlockWriter } from "./block-writer.ts";
import { compressionError } from "./compression-error.ts";
import { decodeHuffman } from "./huffman-decode.ts";
import { huffmanBytes, writeHuffman } from "./huffman-encode.ts";
import { MAX_INTEGER_BYTES, readInteger, writeInteger } from "./integer.ts";

// H 1, String Length 7+, String Data (RFC 7541 section 5.2). With H the data are the Huffman code of the text.
const HUFFMAN = 0x80;
const PREFIX_BITS = 7;

/** @throws Http2ConnectionError where it is truncated or no proper code */
export const readString = (cursor: BlockCursor): string => {
  const { block } = cursor;
  if (cursor.at === block.length) throw compressionError("field block ends before a string");
  const first = block[cursor.at++] as number;
  const length = readInteger(cursor, first, PREFIX_BITS);
  const from = cursor.at;
  const to = from + length;
  if (to > block.length) throw compressionError(`field block ends within a string of ${length} bytes`);
  cursor.at = to;
  return first & HUFFMAN ? decodeHuffman(block, from, to) : block.toString("latin1", from, to);
};

/** As Huffman code where that is shorter. @throws RangeError where the text is not latin1 */
export const writeString = (writer: BlockWriter, text: string): void => {
  writer.reserve(MAX_INTEGER_BYTES + text.length);
  const { slab } = writer;
  const coded = huffmanBytes(text);
  if (coded < text.length) {
    writeInteger(writer, HUFFMAN, PREFIX_BITS, coded);
    writer.at = writeHuffman(text, slab, writer.at);
    return;
  }
  writeInteger(writer, 0, PREFIX_BITS, text.length);
  for (let at = 0; at < text.length; at++) slab[writer.at++] = text.charCodeAt(at);
};
