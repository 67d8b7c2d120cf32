import * as fc from "fast-check";
import { expect, test } from "vitest";
import { emptySharedMap, sharedGet, sharedValues, sharedWith } from "./shared-map.ts";

const changes = fc.array(fc.tuple(fc.string({ maxLength: 2 }), fc.option(fc.nat(), { nil: undefined })));

test("any changes give what a plain map would hold, and leave the map they were made on alone", () => {
  fc.assert(
    fc.property(changes, changes, (first, second) => {
      const base = sharedWith(emptySharedMap<string, number>(), first);
      const before = new Map([...sharedValues(base)].entries());
      const plain = new Map<string, number>();
      for (const [key, value] of [...first, ...second]) {
        if (value === undefined) plain.delete(key);
        else plain.set(key, value);
      }
      const next = sharedWith(base, second);
      expect(next.size).toBe(plain.size);
      for (const [key, value] of plain) expect(sharedGet(next, key)).toBe(value);
      expect(new Map([...sharedValues(base)].entries())).toEqual(before);
    }),
  );
});

test("a change copies one shard and shares the others", () => {
  const entries = Array.from({ length: 1_000 }, (_, index) => [`key-${index}`, index] as const);
  const base = sharedWith(emptySharedMap<string, number>(), entries);
  const next = sharedWith(base, [["key-7", 8]]);
  expect(next.shards.filter((shard, index) => shard !== base.shards[index])).toHaveLength(1);
  expect(sharedWith(base, [])).toBe(base);
});
