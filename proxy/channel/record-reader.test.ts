import * as fc from "fast-check";
import { expect, test } from "vitest";
import { recordReader } from "./record-reader.ts";

/** Cuts bytes at any places. */
const pieces = (bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, index) => bytes.slice(places[index], place));
};

test("records are the same however the stream is cut, and what is not complete waits", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 100 }), fc.array(fc.nat(100)), (bytes, cuts) => {
    const records: number[][] = [];
    const read = recordReader(4, (record) => records.push([...record]));
    for (const piece of pieces(bytes, cuts)) {
      read(piece);
      // Node.js may use the memory of a chunk again.
      piece.fill(0xee);
    }
    const expected = Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => [
      ...bytes.subarray(index * 4, index * 4 + 4),
    ]);
    expect(records).toEqual(expected);
  });
  fc.assert(property);
});
