import * as fc from "fast-check";
import { expect, test } from "vitest";

import * as decode from "./decode.ts";
import * as encode from "./encode.ts";

const MAX = 100 * 1024;

const read = (bytes: Uint8Array) => decode.decoding(() => decode.decodeDer(bytes, MAX, "value"));

/** A value with a definite length in the shortest form. */
const wrap = (tag: number, content: Uint8Array): Uint8Array => {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x10000 ? [0x82, length >> 8, length & 0xff] : longLength(length);
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
};

const longLength = (length: number): number[] => [0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];

const nested = (depth: number): Uint8Array => {
  let value: Uint8Array = Buffer.alloc(0);
  for (let level = 0; level < depth; level++) value = wrap(0x30, value);
  return value;
};

test.each([
  ["nesting deeper than any certificate", nested(17)],
  ["20,000 levels of nesting", nested(20_000)],
  ["indefinite lengths, 50,000 deep", Buffer.from("3080".repeat(50_000), "hex")],
  ["an indefinite length, which DER does not know", Buffer.from("30800000", "hex")],
  ["a length in more bytes than it needs", Buffer.from("30810205 00".replaceAll(" ", ""), "hex")],
  ["a length of 127 bytes", Buffer.concat([Buffer.from([0x30, 0xff]), Buffer.alloc(127)])],
  [
    "a length whose upper bytes a 32-bit reader would lose",
    Buffer.from("30850100000002 0500".replaceAll(" ", ""), "hex"),
  ],
  ["an integer with a superfluous zero byte", Buffer.from("02020001", "hex")],
  ["a value cut off", Buffer.from("300402", "hex")],
  ["bytes after the value", Buffer.from("05000500", "hex")],
  ["nothing", Buffer.alloc(0)],
  ["more bytes than allowed", wrap(0x04, Buffer.alloc(MAX))],
])("T-07 %s is refused", (_, bytes) => {
  expect(read(bytes).ok).toBe(false);
});

test.each([
  ["50,000 empty lists", wrap(0x30, Buffer.from("3000".repeat(45_000), "hex"))],
  ["25,000 bit strings", wrap(0x30, Buffer.from("030200ff".repeat(25_000), "hex"))],
  ["a bit string that holds 45,000 values", wrap(0x03, Buffer.concat([Buffer.of(0), Buffer.alloc(90_000, 5)]))],
  ["a BMPString of 100 KB", wrap(0x1e, Buffer.alloc(100_000, 1))],
  ["45,000 values at the deepest level", deepest()],
])("T-07 100 KB of %s is read in a time that grows with its length only", (_, bytes) => {
  const started = performance.now();
  read(bytes);
  // Measured: 5 to 45 ms. Anything quadratic takes many seconds.
  expect(performance.now() - started).toBeLessThan(1500);
});

function deepest(): Uint8Array {
  let value: Uint8Array = Buffer.from("0500".repeat(45_000), "hex");
  for (let level = 0; level < 14; level++) value = wrap(0x30, value);
  return value;
}

test("T-12 no bytes whatever make the reader throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void read(bytes)),
    { numRuns: 2000 },
  );
});

test.each([
  ["20260131120000Z", 0x18, "2026-01-31T12:00:00Z"],
  ["260131120000Z", 0x17, "2026-01-31T12:00:00Z"],
  ["491231235959Z", 0x17, "2049-12-31T23:59:59Z"],
  ["500101000000Z", 0x17, "1950-01-01T00:00:00Z"],
])("RFC 5280 4.1.2.5: the time %s is understood", (text, tag, expected) => {
  const time = decode.decoding(() => decode.timeOf(decode.decodeDer(wrap(tag, Buffer.from(text)), MAX, "t"), "time"));
  expect(time).toEqual({ ok: true, value: Date.parse(expected) });
});

test.each([
  ["no seconds", 0x17, "2601311200Z"],
  ["an offset instead of Z", 0x17, "260131120000+0100"],
  ["no Z", 0x18, "20260131120000"],
  ["fractions of a second", 0x18, "20260131120000.5Z"],
  ["two digits of the year in a GeneralizedTime", 0x18, "260131120000Z"],
  ["four digits of the year in a UTCTime", 0x17, "20260131120000Z"],
  ["a day that does not exist", 0x18, "20260231120000Z"],
  ["month 13", 0x17, "261331120000Z"],
  ["letters", 0x17, "26013112000xZ"],
  ["another type", 0x0c, "20260131120000Z"],
  ["a second too many digits", 0x18, "202601311200001Z"],
])("RFC 5280 4.1.2.5: a time with %s is refused", (_, tag, text) => {
  const time = decode.decoding(() => decode.timeOf(decode.decodeDer(wrap(tag, Buffer.from(text)), MAX, "t"), "time"));
  expect(time.ok).toBe(false);
});

test("a time survives encoding to the second, on both sides of 2050", () => {
  const anySecond = fc.integer({ min: 0, max: 8_000_000_000 });
  fc.assert(
    fc.property(anySecond, (second) => {
      const encoded = encode.encodeDer(encode.time(second * 1000));
      const decoded = decode.decoding(() => decode.timeOf(decode.decodeDer(encoded, MAX, "t"), "time"));
      expect(decoded).toEqual({ ok: true, value: second * 1000 });
    }),
  );
});

test("only the two booleans of DER are read: OpenSSL takes 01 for true, and must not be understood differently", () => {
  const boolean = (hex: string) =>
    decode.decoding(() => decode.booleanOf(decode.decodeDer(Buffer.from(hex, "hex"), MAX, "b"), "boolean"));
  expect([boolean("0101ff"), boolean("010100")]).toEqual([
    { ok: true, value: true },
    { ok: true, value: false },
  ]);
  expect([boolean("010101").ok, boolean("0102ffff").ok, boolean("0100").ok]).toEqual([false, false, false]);
});
