import { CODE_LENGTHS, CODES } from "./huffman-code.ts";

/** Longer codes are written in two parts: with the up to seven bits that wait they would not fit into 32. */
const MAX_BITS_AT_ONCE = 24;

/** @returns bytes of the text's code, with its padding @throws RangeError where a character is no byte */
export const huffmanBytes = (text: string): number => {
  let bits = 0;
  let seen = 0;
  for (let at = 0; at < text.length; at++) {
    const symbol = text.charCodeAt(at);
    seen |= symbol;
    bits = (bits + (CODE_LENGTHS[symbol & 0xff] as number)) | 0;
  }
  if (seen > 0xff) throw new RangeError("a field contains a character above U+00FF, which is no byte");
  return (bits + 7) >>> 3;
};

/** @param bytes has room for {@link huffmanBytes} @returns where the code ends */
export const writeHuffman = (text: string, bytes: Uint8Array, from: number): number => {
  let to = from;
  /** The low `waiting` bits are still to be written; what is above was. */
  let bits = 0;
  let waiting = 0;
  for (let at = 0; at < text.length; at++) {
    const symbol = text.charCodeAt(at);
    let code = CODES[symbol] as number;
    let length = CODE_LENGTHS[symbol] as number;
    if (length > MAX_BITS_AT_ONCE) {
      bits = (bits << (length - 8)) | (code >>> 8);
      for (waiting += length - 8; waiting >= 8; waiting -= 8) bytes[to++] = bits >>> (waiting - 8);
      code &= 0xff;
      length = 8;
    }
    bits = (bits << length) | code;
    for (waiting += length; waiting >= 8; waiting -= 8) bytes[to++] = bits >>> (waiting - 8);
  }
  // Padding: the beginning of the code of the end of string, which is all ones (RFC 7541 section 5.2).
  if (waiting > 0) bytes[to++] = (bits << (8 - waiting)) | (0xff >>> waiting);
  return to;
};
