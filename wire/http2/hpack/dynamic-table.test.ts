import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Field } from "../../field.ts";
import { DynamicTable, fieldBytes } from "./dynamic-table.ts";

const field = (name: string, value = ""): Field => ({ name, value, isNeverIndexed: false });

test("a field counts its name, its value and 32 (RFC 7541 section 4.1)", () => {
  expect(fieldBytes(field("custom-key", "custom-header"))).toBe(55);
});

test("a field as large as the table stands there alone, one larger leaves it empty (section 4.4)", () => {
  const table = new DynamicTable(40);
  table.insert(field("a"));
  table.insert(field("12345678"));
  expect([table.length, table.at(0)?.name, table.at(1)]).toEqual([1, "12345678", undefined]);
  table.insert(field("123456789"));
  expect([table.length, table.bytes, table.at(0)]).toEqual([0, 0, undefined]);
});

test("it behaves like a list with the newest first, cut off where the bytes are used up (section 2.3.2)", () => {
  const operation = fc.oneof(
    { weight: 20, arbitrary: fc.string({ maxLength: 60 }).map((name) => ({ insert: field(name) })) },
    { weight: 1, arbitrary: fc.nat({ max: 10_000 }).map((resize) => ({ resize })) },
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 400, size: "max" }), (operations) => {
      let maxBytes = 8000;
      let list: readonly Field[] = [];
      const table = new DynamicTable(maxBytes);
      for (const each of operations) {
        if ("insert" in each) {
          list = [each.insert, ...list];
          table.insert(each.insert);
        } else {
          maxBytes = each.resize;
          table.resize(each.resize);
        }
        let bytes = 0;
        const end = list.findIndex((field) => (bytes += fieldBytes(field)) > maxBytes);
        if (end !== -1) list = list.slice(0, end);
        expect([table.length, table.bytes]).toEqual([
          list.length,
          list.reduce((sum, field) => sum + fieldBytes(field), 0),
        ]);
      }
      expect(Array.from({ length: table.length + 1 }, (_, age) => table.at(age))).toEqual([...list, undefined]);
    }),
    { numRuns: 10 },
  );
});
