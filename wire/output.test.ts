import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Output } from "./output.ts";

test("what was appended and reserved comes out in order, and is not written to afterwards", () => {
  const sizes = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 900, max: 1100 }), fc.constant(-1)),
  );
  fc.assert(
    fc.property(sizes, (sizes) => {
      const output = new Output();
      const expected: number[] = [];
      const taken: Uint8Array[] = [];
      let next = 0;
      for (const size of sizes) {
        if (size === -1) {
          taken.push(...output.take());
          output.trim();
          continue;
        }
        const bytes = Uint8Array.from({ length: size }, () => next++ % 251);
        expected.push(...bytes);
        if (size % 2 === 0) output.append(bytes);
        else {
          const at = output.reserve(size);
          output.slab.set(bytes, at);
        }
      }
      expect(output.length + Buffer.concat(taken).length).toBe(expected.length);
      taken.push(...output.take());
      expect(Array.from(Buffer.concat(taken))).toEqual(expected);
      expect(output.length).toBe(0);
    }),
  );
});

test("small pieces leave as one part, a long one without a copy", () => {
  const output = new Output();
  const long = new Uint8Array(2000);
  for (const piece of [Uint8Array.of(1), Uint8Array.of(2), long, Uint8Array.of(3)]) output.append(piece);
  const parts = output.take();
  expect(parts.map(({ length }) => length)).toEqual([2, 2000, 1]);
  expect(parts[1]).toBe(long);
});

test("a little takes a little memory, and nothing is kept after a trim", () => {
  const output = new Output();
  output.append(Uint8Array.of(1));
  expect(output.slab.length).toBe(1024);
  output.take();
  output.trim();
  expect(output.slab.length).toBe(0);
});
