import { describe, expect, test } from "vitest";
import type { Field } from "../../field.ts";
import { ERROR_CODE } from "../error-code.ts";
import { type FieldSection, type FieldSectionLimits, HpackDecoder } from "./hpack-decoder.ts";
import { STATIC_FIELDS } from "./static-table.ts";

const LIMITS: FieldSectionLimits = { maxBytes: 32 * 1024, maxFields: 100, maxFieldBytes: 16 * 1024 };

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(" ", ""), "hex");
const fieldsOf = (section: FieldSection): readonly Field[] =>
  section.kind === "fields" ? section.fields : expect.fail(section.reason);
const compressionError: unknown = expect.objectContaining({
  name: "Http2ConnectionError",
  code: ERROR_CODE.compressionError,
});

/** A literal with incremental indexing, name and value as they are, each shorter than 127. */
const indexedLiteral = (name: string, value: string): Buffer =>
  Buffer.concat([
    Buffer.of(0x40, name.length),
    Buffer.from(name, "latin1"),
    Buffer.of(value.length),
    Buffer.from(value, "latin1"),
  ]);

describe("what is no proper field block", () => {
  test.each([
    ["index 0", "80", "6.1"],
    ["an index above both tables", "be", "2.3.3"],
    ["an index far above both tables", "ff ff ff ff ff 0e", "2.3.3"],
    ["an index that overflows", "ff ff ff ff ff ff ff ff ff 01", "5.1"],
    ["an index that breaks off", "ff", "5.1"],
    ["a name above both tables, with incremental indexing", "7e 01 61", "2.3.3"],
    ["a name above both tables, without indexing", "0f 2f 01 61", "2.3.3"],
    ["a name above both tables, never indexed", "1f 2f 01 61", "2.3.3"],
    ["a literal without a name", "40", "5.2"],
    ["a literal without a value", "40 01 61", "5.2"],
    ["a literal with an indexed name without a value", "41", "5.2"],
    ["a name that breaks off", "40 02 61", "5.2"],
    ["a value that breaks off", "40 01 61 02 61", "5.2"],
    ["a value of 4 GiB that is not there", "40 01 61 7f 80 ff ff ff 0f", "5.2"],
    ["the length of a value that overflows", "40 01 61 7f ff ff ff ff ff ff", "5.1"],
    ["the length of a value that breaks off", "40 01 61 7f 80", "5.1"],
    ["Huffman code with the end of string", "40 01 61 84 ff ff ff ff", "5.2"],
    ["Huffman code with too long padding", "40 01 61 82 1f ff", "5.2"],
    ["Huffman code padded with zeros", "40 01 61 81 18", "5.2"],
    ["a name with bad Huffman code", "00 81 18 01 61", "5.2"],
    ["a table size above the limit", "3f e2 1f", "6.3"],
    ["a table size that overflows", "3f ff ff ff ff ff ff", "5.1"],
    ["a table size that breaks off", "3f", "5.1"],
    ["a table size behind a field", "82 20", "4.2"],
    ["a table size between fields", "82 20 01 61 01 61", "4.2"],
    ["three table sizes", "20 20 20", "4.2"],
  ])("%s is a COMPRESSION_ERROR", (_, block, _section) => {
    expect(() => new HpackDecoder(4096).decode(hex(block), LIMITS)).toThrow(compressionError);
  });

  test("every beginning of a block that breaks off within a field is a COMPRESSION_ERROR", () => {
    const block = hex("4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf");
    for (let length = 1; length < block.length; length++) {
      expect(() => new HpackDecoder(4096).decode(block.subarray(0, length), LIMITS)).toThrow(compressionError);
    }
  });

  test("bad Huffman code is an error also where the section is too large and nothing of it is kept", () => {
    const block = hex("82 82 00 01 61 81 18");
    expect(() => new HpackDecoder(4096).decode(block, { ...LIMITS, maxFields: 1 })).toThrow(compressionError);
  });
});

test("an empty block has no fields", () => {
  expect(new HpackDecoder(4096).decode(new Uint8Array(0), LIMITS)).toEqual({ kind: "fields", fields: [] });
});

test("a block is read where it lies in a larger buffer, of Node.js or not, and is not kept", () => {
  const bytes = Uint8Array.from([0xff, ...indexedLiteral("a", "b\xe9"), 0xff]);
  const decoder = new HpackDecoder(4096);
  const [field] = fieldsOf(decoder.decode(bytes.subarray(1, -1), LIMITS));
  bytes.fill(0);
  expect(field).toEqual({ name: "a", value: "b\xe9", isNeverIndexed: false });
  expect(fieldsOf(decoder.decode(hex("be"), LIMITS))[0]).toBe(field);
});

test("fields of the tables are shared, not made again", () => {
  const decoder = new HpackDecoder(4096);
  const [literal] = fieldsOf(decoder.decode(indexedLiteral("x-tenant", "blue"), LIMITS));
  const fields = fieldsOf(decoder.decode(hex("82 be 82 be"), LIMITS));
  expect(fields[0]).toBe(STATIC_FIELDS[2]);
  expect(fields[1]).toBe(literal);
  expect(fields[3]).toBe(literal);
});

test("only a never indexed literal is marked so (RFC 7541 section 6.2.3)", () => {
  const fields = fieldsOf(new HpackDecoder(4096).decode(hex("10 01 61 01 62  00 01 61 01 62  40 01 61 01 62"), LIMITS));
  expect(fields.map(({ isNeverIndexed }) => isNeverIndexed)).toEqual([true, false, false]);
});

test("only incremental indexing puts a field into the table", () => {
  const decoder = new HpackDecoder(4096);
  decoder.decode(hex("10 01 61 01 62  00 01 61 01 62"), LIMITS);
  expect(() => decoder.decode(hex("be"), LIMITS)).toThrow(compressionError);
});

test("names and values that JavaScript has a meaning for are plain text", () => {
  const decoder = new HpackDecoder(4096);
  for (const name of ["__proto__", "constructor", "hasOwnProperty"]) {
    decoder.decode(indexedLiteral(name, "__proto__"), LIMITS);
    expect(fieldsOf(decoder.decode(hex("be"), LIMITS))).toEqual([{ name, value: "__proto__", isNeverIndexed: false }]);
  }
});

test("a name is taken from an entry that leaves the table for the field it names (section 4.4)", () => {
  const decoder = new HpackDecoder(4096);
  decoder.decode(Buffer.concat([hex("3f 09"), indexedLiteral("name", "1234")]), LIMITS);
  expect(fieldsOf(decoder.decode(hex("7e 04 35363738"), LIMITS))).toMatchObject([{ name: "name", value: "5678" }]);
  expect(fieldsOf(decoder.decode(hex("be"), LIMITS))).toMatchObject([{ name: "name", value: "5678" }]);
  expect(() => decoder.decode(hex("bf"), LIMITS)).toThrow(compressionError);
});

describe("the size of the table", () => {
  const withEntry = (maxTableBytes: number): HpackDecoder => {
    const decoder = new HpackDecoder(maxTableBytes);
    decoder.decode(indexedLiteral("x-tenant", "blue"), LIMITS);
    return decoder;
  };

  test("an update evicts what does not fit, and what is not evicted stays (section 4.3)", () => {
    const decoder = withEntry(4096);
    expect(fieldsOf(decoder.decode(hex("3f 0d be"), LIMITS))).toHaveLength(1);
    expect(() => decoder.decode(hex("3f 0c be"), LIMITS)).toThrow(compressionError);
  });

  test("two updates in a block say the smallest and the last size (section 4.2)", () => {
    const decoder = withEntry(4096);
    expect(fieldsOf(decoder.decode(hex("20 3f e1 1f"), LIMITS))).toEqual([]);
    expect(() => decoder.decode(hex("be"), LIMITS)).toThrow(compressionError);
  });

  test("a field larger than the table empties it, and is no error (section 4.4)", () => {
    const decoder = withEntry(4096);
    const block = Buffer.concat([hex("3f 0d"), indexedLiteral("x-tenant", "green")]);
    expect(fieldsOf(decoder.decode(block, LIMITS))).toHaveLength(1);
    expect(() => decoder.decode(hex("be"), LIMITS)).toThrow(compressionError);
  });

  test("a table larger than 4096 bytes is used only after the peer says so", () => {
    const decoder = new HpackDecoder(8192);
    decoder.settingsAcknowledged();
    const fill = Array.from({ length: 100 }, (_, at) => indexedLiteral(`x-${100 + at}`, "12345"));
    const limits = { ...LIMITS, maxFields: 1000 };
    decoder.decode(Buffer.concat(fill), limits);
    // Each takes 42 bytes, so that 97 are left in 4096 bytes: 61 + 97 = 158 = 127 + 31.
    expect(fieldsOf(decoder.decode(hex("ff 1f"), limits))).toMatchObject([{ name: "x-103" }]);
    expect(() => decoder.decode(hex("ff 20"), limits)).toThrow(compressionError);

    decoder.decode(Buffer.concat([hex("3f e1 3f"), ...fill, ...fill]), limits);
    // 195 in 8192 bytes: 61 + 195 = 256 = 127 + 129.
    expect(fieldsOf(decoder.decode(hex("ff 81 01"), limits))).toHaveLength(1);
    expect(() => decoder.decode(hex("ff 82 01"), limits)).toThrow(compressionError);
  });

  test("a table smaller than 4096 bytes binds the peer once it has acknowledged it", () => {
    const decoder = withEntry(100);
    expect(fieldsOf(decoder.decode(hex("3f e1 1f be"), LIMITS))).toHaveLength(1);
    decoder.settingsAcknowledged();
    expect(fieldsOf(decoder.decode(hex("3f 45 be"), LIMITS))).toHaveLength(1);
    expect(fieldsOf(decoder.decode(hex("be"), LIMITS))).toHaveLength(1);
    expect(() => decoder.decode(hex("3f 46"), LIMITS)).toThrow(compressionError);
  });

  test("a peer that acknowledged a smaller table and does not say so in its next block is in error (section 4.2)", () => {
    const decoder = withEntry(100);
    decoder.settingsAcknowledged();
    expect(() => decoder.decode(hex("be"), LIMITS)).toThrow(compressionError);
  });

  test("a peer that already uses less than what it acknowledges has nothing to say", () => {
    const decoder = withEntry(100);
    decoder.decode(hex("3f 45"), LIMITS);
    decoder.settingsAcknowledged();
    expect(fieldsOf(decoder.decode(hex("be"), LIMITS))).toHaveLength(1);
  });
});

describe("limits", () => {
  const block = Buffer.concat([indexedLiteral("a", "12345"), indexedLiteral("b", "123")]);

  test.each([
    ["as many fields as allowed", { maxFields: 2 }, "fields"],
    ["one more", { maxFields: 1 }, "too-large"],
    ["as many bytes as allowed, 32 for each field", { maxBytes: 74 }, "fields"],
    ["one more", { maxBytes: 73 }, "too-large"],
    ["a field as long as allowed", { maxFieldBytes: 6 }, "fields"],
    ["one longer", { maxFieldBytes: 5 }, "too-large"],
  ])("%s: %o gives %s", (_, limits, kind) => {
    expect(new HpackDecoder(4096).decode(block, { ...LIMITS, ...limits }).kind).toBe(kind);
  });

  test("where a section is too large the table is kept in step nevertheless", () => {
    const decoder = new HpackDecoder(4096);
    expect(decoder.decode(block, { ...LIMITS, maxFields: 0 }).kind).toBe("too-large");
    expect(fieldsOf(decoder.decode(hex("bf be"), LIMITS)).map(({ name }) => name)).toEqual(["a", "b"]);
  });

  // "HTTP/2 bomb": CVE-2026-47774, CVE-2026-49975.
  test("references of one byte to an entry of 4 KiB, or to tiny ones, are too large and hold no fields", () => {
    const decoder = new HpackDecoder(4096);
    const big = Buffer.concat([hex("41 7f e1 1d"), Buffer.alloc(3936, 0x61)]);
    expect(fieldsOf(decoder.decode(big, LIMITS))[0]?.value).toHaveLength(3936);
    for (const index of [0xbe, 0x82]) {
      const before = process.memoryUsage().heapUsed;
      const section = decoder.decode(Buffer.alloc(1_000_000, index), LIMITS);
      expect(section).toEqual({ kind: "too-large", reason: expect.any(String) as string });
      // A million pointers alone would be 8 MB.
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(4_000_000);
    }
    expect(fieldsOf(decoder.decode(hex("be"), LIMITS))).toHaveLength(1);
  });
});
