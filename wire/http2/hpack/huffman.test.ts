import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ERROR_CODE } from "../error-code.ts";
import { CODE_LENGTHS, CODES, END_OF_STRING } from "./huffman-code.ts";
import { decodeHuffman } from "./huffman-decode.ts";
import { huffmanBytes, writeHuffman } from "./huffman-encode.ts";

const encode = (text: string): Buffer => {
  const bytes = Buffer.alloc(huffmanBytes(text));
  if (writeHuffman(text, bytes, 0) !== bytes.length) expect.fail(`wrong length of ${JSON.stringify(text)}`);
  return bytes;
};
const decode = (bytes: Uint8Array): string => decodeHuffman(bytes, 0, bytes.length);

// RFC 7541 appendix B: the first and the last code of each length.
test.each([
  ["0", 0x0, 5],
  ["t", 0x9, 5],
  [" ", 0x14, 6],
  ["u", 0x2d, 6],
  [":", 0x5c, 7],
  ["z", 0x7b, 7],
  ["&", 0xf8, 8],
  ["Z", 0xfd, 8],
  ["!", 0x3f8, 10],
  ["?", 0x3fc, 10],
  ["'", 0x7fa, 11],
  ["|", 0x7fc, 11],
  ["#", 0xffa, 12],
  [">", 0xffb, 12],
  ["\0", 0x1ff8, 13],
  ["~", 0x1ffd, 13],
  ["^", 0x3ffc, 14],
  ["}", 0x3ffd, 14],
  ["<", 0x7ffc, 15],
  ["{", 0x7ffe, 15],
  ["\\", 0x7fff0, 19],
  ["\xd0", 0x7fff2, 19],
  ["\x80", 0xfffe6, 20],
  ["\xe2", 0xfffed, 20],
  ["\x99", 0x1fffdc, 21],
  ["\xe6", 0x1fffe8, 21],
  ["\x81", 0x3fffd2, 22],
  ["\xe9", 0x3fffeb, 22],
  ["\x01", 0x7fffd8, 23],
  ["\xef", 0x7ffff4, 23],
  ["\t", 0xffffea, 24],
  ["\xed", 0xfffff5, 24],
  ["\xc7", 0x1ffffec, 25],
  ["\xeb", 0x1ffffef, 25],
  ["\xc0", 0x3ffffe0, 26],
  ["\xff", 0x3ffffee, 26],
  ["\xcb", 0x7ffffde, 27],
  ["\xfe", 0x7fffff0, 27],
  ["\x02", 0xfffffe2, 28],
  ["\xf9", 0xffffffe, 28],
  ["\n", 0x3ffffffc, 30],
  ["\x16", 0x3ffffffe, 30],
])("the code of %j is %i, of %i bits", (text, code, length) => {
  const symbol = text.charCodeAt(0);
  expect([CODES[symbol], CODE_LENGTHS[symbol]]).toEqual([code, length]);
});

test("the end of string is thirty ones, and the code leaves nothing over", () => {
  expect([CODES[END_OF_STRING], CODE_LENGTHS[END_OF_STRING]]).toEqual([2 ** 30 - 1, 30]);
  expect([...CODE_LENGTHS].reduce((sum, length) => sum + 2 ** -length, 0)).toBe(1);
});

test("every byte, and every pair of bytes, is decoded again", () => {
  for (let first = 0; first < 256; first++) {
    expect(decode(encode(String.fromCharCode(first)))).toBe(String.fromCharCode(first));
    for (let second = 0; second < 256; second++) {
      const text = String.fromCharCode(first, second);
      if (decode(encode(text)) !== text) expect.fail(`${first}, ${second}`);
    }
  }
});

test("every text is decoded again, also one that is longer than the scratch memory", () => {
  const latin1 = fc.string({ unit: fc.nat({ max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 200 });
  fc.assert(
    fc.property(latin1, (text) => {
      expect(decode(encode(text))).toBe(text);
    }),
  );
  for (const length of [16_383, 16_384, 16_385, 100_000]) {
    expect(decode(encode("0".repeat(length)))).toBe("0".repeat(length));
  }
});

test("a part of a larger buffer is decoded", () => {
  const bytes = Buffer.concat([Buffer.of(0xff), encode("www.example.com"), Buffer.of(0)]);
  expect(decodeHuffman(bytes, 1, bytes.length - 1)).toBe("www.example.com");
});

// RFC 7541 section 5.2.
test.each([
  ["the end of string", [0xff, 0xff, 0xff, 0xff]],
  ["the end of string behind a text", [0x1f, 0xff, 0xff, 0xff, 0xff]],
  ["the end of string before a text", [0xff, 0xff, 0xff, 0xfc, 0x07]],
  ["padding of eight ones", [0xff]],
  ["padding of eight ones behind a symbol of eight bits", [0xf8, 0xff]],
  ["padding of eleven ones", [0x1f, 0xff]],
  ["padding of zeros", [0x18]],
  ["padding with one zero", [0x1e]],
  ["a long code that breaks off", [0xff, 0xff, 0xf6]],
])("%s is an error", (_, bytes) => {
  expect(() => decode(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: ERROR_CODE.compressionError }));
});

test("up to seven ones are padding", () => {
  // "0" has a code of five bits, so that every number of ones is needed.
  const texts = Array.from({ length: 9 }, (_, length) => "0".repeat(length));
  expect(texts.map((text) => decode(encode(text)))).toEqual(texts);
});

test.each(["\u0100", "shop\u{1f6d2}", "\uffff"])("%j is no latin1, and not cut down to bytes", (text) => {
  expect(() => huffmanBytes(text)).toThrow(RangeError);
});
