import { expect, test } from "vitest";
import { table } from "./table.ts";

test("columns are as wide as their widest cell, and lines end without spaces", () => {
  const rows = [
    ["POD", "NODE"],
    ["shop/web-0", "node-1"],
    ["a/b", ""],
  ];
  expect(table(rows)).toBe("POD         NODE\nshop/web-0  node-1\na/b");
});

test("colour takes no room", () => {
  expect(
    table([
      ["\u001b[32mok\u001b[39m", "x"],
      ["long", "y"],
    ]),
  ).toBe("\u001b[32mok\u001b[39m    x\nlong  y");
});
