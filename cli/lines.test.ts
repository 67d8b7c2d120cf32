import * as fc from "fast-check";
import { expect, test } from "vitest";
import { linesOf } from "./lines.ts";

test("lines are the same however the text is cut", async () => {
  const text = "first\n\nzwölf €\r\nwithout end";
  const cuts = fc.array(fc.nat({ max: Buffer.byteLength(text) }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(cuts, async (given) => {
      const positions = [0, ...given.toSorted((a, b) => a - b), Buffer.byteLength(text)];
      const chunks = positions.slice(1).map((end, index) => Buffer.from(text).subarray(positions[index], end));
      expect(await Array.fromAsync(linesOf(inPieces(chunks)))).toEqual(text.split("\n"));
    }),
  );
});

test("a text that ends with a line's end has no empty line after it", async () => {
  expect(await Array.fromAsync(linesOf(inPieces([Buffer.from("one\ntwo\n")])))).toEqual(["one", "two"]);
});

const inPieces = async function* (chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
};
