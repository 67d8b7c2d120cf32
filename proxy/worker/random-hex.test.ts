import { expect, test } from "vitest";
import { randomHex } from "./random-hex.ts";

test("ids have the length that is asked for, and no two are the same, also beyond one pool", () => {
  const ids = Array.from({ length: 2_000 }, (_, index) => randomHex(index % 2 === 0 ? 8 : 16));
  expect(ids.slice(0, 2).map(({ length }) => length)).toEqual([16, 32]);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]+$/);
  expect(new Set(ids.map((id) => id.slice(0, 16))).size).toBe(ids.length);
});
