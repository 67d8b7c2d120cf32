import { describe, expect, test } from "vitest";
import type { Field } from "../../field.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";

const field = (name: string, value: string, isNeverIndexed = false): Field => ({ name, value, isNeverIndexed });
const hexOf = (block: Uint8Array): string => Buffer.from(block).toString("hex");
const LIMITS = { maxBytes: 100_000, maxFields: 1000, maxFieldBytes: 100_000 };

/** Of a literal whose name is not looked up: the bits above the index of the name (RFC 7541 section 6.2). */
const representation = (block: Uint8Array): string => {
  const first = block[0] ?? 0;
  if (first >= 0x80) return "in a table";
  if (first >= 0x40) return "indexed";
  return first >= 0x10 ? "never indexed" : "not indexed";
};

describe("what is put into the table", () => {
  test.each([
    [":method", "GET", "in a table"],
    [":method", "PATCH", "indexed"],
    [":authority", "cart.shop:8080", "indexed"],
    [":path", "/", "in a table"],
    [":path", "/shop.v1.Cart/AddItem", "indexed"],
    [":path", "/cart/4711", "not indexed"],
    [":path", "/cart?item=tea", "not indexed"],
    ["content-type", "application/grpc", "indexed"],
    ["content-length", "17", "not indexed"],
    ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "not indexed"],
    ["forwarded", 'for="10.0.0.1:33412";host=web.shop.svc.cluster.local', "not indexed"],
    ["grpc-timeout", "998m", "not indexed"],
    ["authorization", "Basic dGVhOnRlYQ==", "never indexed"],
    ["authorization", "Bearer 0123456789012345678901234567890123456789", "never indexed"],
    ["proxy-authorization", "Basic dGVhOnRlYQ==", "never indexed"],
    ["cookie", "1234567890123456789", "never indexed"],
    ["cookie", "12345678901234567890", "indexed"],
    ["set-cookie", "a=1", "never indexed"],
    ["set-cookie", "a=0123456789012345678901234567890123456789", "not indexed"],
    ["x-anything", "else", "indexed"],
    ["__proto__", "__proto__", "indexed"],
  ])("%s: %s is %s", (name, value, expected) => {
    expect(representation(new HpackEncoder(4096).encode([field(name, value)]))).toBe(expected);
  });

  test("what came never indexed goes on so, also where a table has it (RFC 7541 section 7.1.3)", () => {
    const encoder = new HpackEncoder(4096);
    encoder.encode([field("x-secret", "tea")]);
    expect(representation(encoder.encode([field("x-secret", "tea")]))).toBe("in a table");
    expect(representation(encoder.encode([field("x-secret", "tea", true)]))).toBe("never indexed");
    expect(representation(encoder.encode([field(":method", "GET", true)]))).toBe("never indexed");
    expect(representation(encoder.encode([field("x-other", "tea", true)]))).toBe("never indexed");
    expect(representation(encoder.encode([field("x-other", "tea")]))).toBe("indexed");
  });

  test("a field larger than half of the table is not, and drives nothing out", () => {
    const encoder = new HpackEncoder(200);
    encoder.encode([field("a", "1")]);
    expect(representation(encoder.encode([field("b", "x".repeat(68))]))).toBe("not indexed");
    expect(representation(encoder.encode([field("b", "x".repeat(67))]))).toBe("indexed");
    expect(representation(encoder.encode([field("a", "1")]))).toBe("in a table");
  });

  test("without a table nothing is", () => {
    const encoder = new HpackEncoder(0);
    expect(hexOf(encoder.encode([]))).toBe("20");
    expect(representation(encoder.encode([field("a", "1")]))).toBe("not indexed");
    expect(representation(encoder.encode([field(":method", "GET")]))).toBe("in a table");
  });
});

test("a name that stands in the dynamic table is sent as its index", () => {
  const encoder = new HpackEncoder(4096);
  encoder.encode([field("x-tenant", "blue"), field("x-other", "1")]);
  expect(hexOf(encoder.encode([field("x-tenant", "!!")]))).toBe("7f00022121");
});

test("of a name with many values the newest are found", () => {
  const encoder = new HpackEncoder(4096);
  const crumbs = Array.from({ length: 40 }, (_, at) => field("x-crumb", `${at}`));
  encoder.encode(crumbs);
  expect(hexOf(encoder.encode([field("x-crumb", "39")]))).toBe("be");
  expect(representation(encoder.encode([field("x-crumb", "8")]))).toBe("in a table");
  expect(representation(encoder.encode([field("x-crumb", "7")]))).toBe("indexed");
});

describe("the size of the table is announced (RFC 7541 section 4.2)", () => {
  test.each([
    ["where nothing was said", 4096, [], ""],
    ["where the peer says what it is", 4096, [4096], ""],
    ["where the peer allows more than we use", 4096, [65_536], ""],
    ["where we use less than 4096 bytes", 100, [], "3f45"],
    ["where the peer allows less than we use", 4096, [100], "3f45"],
    ["where the peer allows what we use", 16_384, [65_536], "3fe17f"],
    ["with the smallest and the last", 4096, [100, 0, 4096], "203fe11f"],
    ["only once where the last is the smallest", 4096, [1000, 100], "3f45"],
  ])("%s", (_, own, settings, expected) => {
    const encoder = new HpackEncoder(own);
    for (const bytes of settings) encoder.setMaxTableBytes(bytes);
    expect(hexOf(encoder.encode([]))).toBe(expected);
    expect(hexOf(encoder.encode([]))).toBe("");
  });

  test("what was evicted meanwhile is not referred to", () => {
    const encoder = new HpackEncoder(4096);
    encoder.encode([field("a", "1"), field("b", "1")]);
    encoder.setMaxTableBytes(40);
    encoder.setMaxTableBytes(4096);
    expect(hexOf(encoder.encode([field("b", "1")]))).toBe("3f093fe11fbe");
    expect(representation(encoder.encode([field("a", "1")]))).toBe("indexed");
  });
});

test("after a character that is no byte the peer is still in step", () => {
  const encoder = new HpackEncoder(4096);
  const decoder = new HpackDecoder(4096);
  const fields = [field("a", "1"), field("b", "1")];
  decoder.decode(encoder.encode(fields), LIMITS);
  expect(() => encoder.encode([field("c", "1"), field("d", "\u010a")])).toThrow(RangeError);
  expect(() => encoder.encode([field("\u010a", "1")])).toThrow(RangeError);
  expect(decoder.decode(encoder.encode([...fields, field("c", "1")]), LIMITS)).toEqual({
    kind: "fields",
    fields: [...fields, field("c", "1")],
  });
});

test("a block is not written to when others are encoded, by whichever encoder", () => {
  const blocks: (readonly [Uint8Array, string])[] = [];
  for (let at = 0; at < 3000; at++) {
    const block = new HpackEncoder(4096).encode([field("x-number", `${at}`.repeat(at % 100))]);
    blocks.push([block, hexOf(block)]);
  }
  for (const [block, written] of blocks) expect(hexOf(block)).toBe(written);
});

test("a block may be longer than the memory that is kept for blocks", () => {
  const fields = [field("x-short", "1"), field("x-long", "x".repeat(40_000)), field("x-raw", "\xff".repeat(40_000))];
  const block = new HpackEncoder(4096).encode(fields);
  expect(new HpackDecoder(4096).decode(block, LIMITS)).toEqual({ kind: "fields", fields });
});
