import { expect, test } from "vitest";
import { newRequestId } from "./request-id.ts";

test("ids are random UUIDs, each another, however many are asked for", () => {
  const ids = Array.from({ length: 1_000 }, newRequestId);
  expect(new Set(ids).size).toBe(1_000);
  expect(ids.filter((id) => !/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id))).toEqual(
    [],
  );
});

test("every digit that may vary does", () => {
  const seen = Array.from({ length: 36 }, () => new Set<string>());
  for (let count = 0; count < 2_000; count++)
    newRequestId()
      .split("")
      .forEach((digit, at) => seen[at]?.add(digit));
  expect(seen.map(({ size }) => size)).toEqual(
    "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".split("").map((kind) => ({ x: 16, y: 4 })[kind] ?? 1),
  );
});
