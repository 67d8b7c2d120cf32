import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ERROR_CODE } from "../error-code.ts";
import { blockCursor } from "./block-cursor.ts";
import { BlockWriter } from "./block-writer.ts";
import { MAX_INTEGER, readInteger, writeInteger } from "./integer.ts";

const read = (bytes: readonly number[], prefixBits: number): number => {
  const cursor = blockCursor(Uint8Array.from(bytes));
  const first = cursor.block[cursor.at++] ?? 0;
  const value = readInteger(cursor, first, prefixBits);
  expect(cursor.at).toBe(bytes.length);
  return value;
};

const write = (pattern: number, prefixBits: number, value: number): readonly number[] => {
  const writer = new BlockWriter();
  writer.begin();
  writeInteger(writer, pattern, prefixBits, value);
  return [...writer.end()];
};

// RFC 7541 appendix C.1, and the edges of the prefix.
test.each([
  ["C.1.1", 5, 10, [0b01010]],
  ["C.1.2", 5, 1337, [0b11111, 0b10011010, 0b00001010]],
  ["C.1.3", 8, 42, [42]],
  ["the largest in the prefix", 7, 126, [126]],
  ["the prefix itself", 7, 127, [127, 0]],
  ["one group", 7, 254, [127, 127]],
  ["two groups", 7, 255, [127, 128, 1]],
  ["the largest of all", 5, MAX_INTEGER, [31, 0xe0, 0xff, 0xff, 0xff, 0x0f]],
])("%s", (_, prefixBits, value, bytes) => {
  expect(read(bytes, prefixBits)).toBe(value);
  expect(write(0, prefixBits, value)).toEqual(bytes);
});

test("what is written is read again, whatever stands above the prefix", () => {
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 7 }), fc.nat({ max: MAX_INTEGER }), (prefixBits, value) => {
      expect(read(write(1 << prefixBits, prefixBits, value), prefixBits)).toBe(value);
    }),
  );
});

// RFC 7541 section 5.1: "implementation limits -- in value or octet length".
test.each([
  ["2^32", [31, 0xe1, 0xff, 0xff, 0xff, 0x0f]],
  ["2^35", [31, 0xff, 0xff, 0xff, 0xff, 0x7f]],
  ["leading zeros without end", [31, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
  ["all bits set for long", [31, ...Array.from({ length: 40 }, () => 0xff)]],
  ["nothing after the prefix", [31]],
  ["nothing after a group that continues", [31, 0x80]],
])("%s is an error", (_, bytes) => {
  expect(() => read(bytes, 5)).toThrow(expect.objectContaining({ code: ERROR_CODE.compressionError }));
});
