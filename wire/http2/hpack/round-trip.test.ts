import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Field } from "../../field.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import type { Indexing } from "./indexing-policy.ts";
import { STATIC_FIELDS } from "./static-table.ts";

const LIMITS = { maxBytes: 1_000_000, maxFields: 1000, maxFieldBytes: 1000 };

const byte = fc.nat({ max: 255 }).map((code) => String.fromCharCode(code));
/** Few names and values, so that they repeat; and some of everything. */
const text = fc.oneof(
  fc.constantFrom("", "a", "b", "x-tenant", "__proto__", "cookie", "authorization", "1".repeat(40)),
  fc.string({ unit: byte, maxLength: 60 }),
);
const field: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ name: text, value: text, isNeverIndexed: fc.boolean() }),
  fc.record({ name: fc.constantFrom("a", "x-tenant"), value: text, isNeverIndexed: fc.constant(false) }),
  fc.constantFrom(...STATIC_FIELDS.filter((field) => field !== undefined)),
);
/** What happens on a connection between two blocks, and the next block. */
const step = fc.record({
  sizes: fc.array(fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 10_000 })), { maxLength: 4 }),
  fields: fc.array(field, { maxLength: 30 }),
});
const steps = fc.array(
  fc.oneof({ arbitrary: step, weight: 1 }, { arbitrary: step.map((each) => ({ ...each, sizes: [] })), weight: 3 }),
  { maxLength: 20 },
);

/** The policy by the length of the value: each kind comes, and the same field is always treated alike. */
const anyIndexing = (_: string, value: string): Indexing =>
  value.length % 7 === 3 ? "never-indexed" : value.length % 7 === 5 ? "not-indexed" : "indexed";

const everything = (): Indexing => "indexed";

test.each([
  ["anything", anyIndexing],
  ["everything", everything],
])("what is encoded is decoded again, over all sizes of the table, where %s is indexed", (_, indexing) => {
  fc.assert(
    fc.property(fc.nat({ max: 10_000 }), steps, (own, steps) => {
      const encoder = new HpackEncoder(own, indexing);
      const decoder = new HpackDecoder(10_000);
      for (const { sizes, fields } of steps) {
        for (const size of sizes) encoder.setMaxTableBytes(size);
        const section = decoder.decode(encoder.encode(fields), LIMITS);
        const decoded = section.kind === "fields" ? section.fields : expect.fail(section.reason);
        expect(decoded.map(({ name, value }) => [name, value])).toEqual(fields.map(({ name, value }) => [name, value]));
        for (const [at, { isNeverIndexed }] of fields.entries()) {
          if (isNeverIndexed) expect(decoded[at]?.isNeverIndexed).toBe(true);
        }
      }
    }),
  );
});

test("whatever bytes come, they are decoded or are a COMPRESSION_ERROR", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
      const decoder = new HpackDecoder(4096);
      try {
        for (const block of blocks) {
          const section = decoder.decode(block, LIMITS);
          expect(section.kind).toBe("fields");
        }
      } catch (error) {
        expect(error).toMatchObject({ name: "Http2ConnectionError", code: 9 });
      }
    }),
    { numRuns: 1000 },
  );
});
