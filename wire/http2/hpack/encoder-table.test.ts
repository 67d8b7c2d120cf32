import { expect, test } from "vitest";
import { EncoderTable } from "./encoder-table.ts";

test("a name is forgotten with its last entry, so that names without end hold no memory", () => {
  const table = new EncoderTable(100);
  for (let at = 0; at < 1000; at++) table.insert({ name: `x-${at}`, value: "1", isNeverIndexed: false });
  expect(table.names).toBe(2);
  expect([table.indexOfName("x-997"), table.indexOfName("x-998"), table.indexOfName("x-999")]).toEqual([0, 63, 62]);
  table.resize(0);
  expect(table.names).toBe(0);
});
