import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Output } from "./output.ts";

/** What may be done to an output: append or reserve so many bytes, take, say that the oldest was written, trim. */
const STEP = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), bytes: fc.integer({ min: 0, max: 40 }) }),
  fc.record({ kind: fc.constant("append" as const), bytes: fc.integer({ min: 0, max: 300_000 }) }),
  fc.record({ kind: fc.constant("reserve" as const), bytes: fc.integer({ min: 1, max: 16_384 }) }),
  fc.record({ kind: fc.constantFrom("take" as const, "written" as const, "trim" as const) }),
);

test("what was appended and reserved comes out in order, and is not written to before it was written", () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 40 }), (steps) => {
      const output = new Output();
      let next = 1;
      let waiting: Buffer[] = [];
      const taken: { readonly parts: readonly Uint8Array[]; readonly expected: Buffer }[] = [];
      const take = (): void => {
        const expected = Buffer.concat(waiting);
        waiting = [];
        const parts = output.take();
        if (parts.length > 0) taken.push({ parts, expected });
        else expect(expected.length).toBe(0);
      };
      for (const step of steps) {
        if (step.kind === "append" || step.kind === "reserve") {
          const bytes = Buffer.alloc(step.bytes, next++ % 251);
          waiting.push(bytes);
          if (step.kind === "append") {
            const lent = Buffer.from(bytes);
            output.append(lent);
            lent.fill(0xff);
          } else {
            const at = output.reserve(step.bytes);
            output.slab.set(bytes, at);
          }
        } else if (step.kind === "take") take();
        else if (step.kind === "trim") output.trim();
        else if (taken.length > 0) {
          taken.shift();
          output.written();
        }
        expect(output.length).toBe(waiting.reduce((sum, { length }) => sum + length, 0));
        for (const { parts, expected } of taken) expect(Buffer.concat(parts).equals(expected)).toBe(true);
      }
      take();
      for (const { parts, expected } of taken) expect(Buffer.concat(parts).equals(expected)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test("everything leaves as one part, up to the size of a large slab", () => {
  const output = new Output();
  const pieces = [Uint8Array.of(1), new Uint8Array(100_000).fill(2), Uint8Array.of(3)];
  output.append(new Uint8Array(20_000));
  output.take();
  output.written();
  output.append(new Uint8Array(20_000));
  output.take();
  for (const piece of pieces) output.append(piece);
  expect(output.take().map(({ length }) => length)).toEqual([100_002]);
});

test("large slabs are used again, by whoever needs one, and not while they are being read", () => {
  const [one, other] = [new Output(), new Output()];
  const large = new Uint8Array(100_000);
  const slabOf = (output: Output): ArrayBufferLike | undefined => {
    output.append(large);
    return output.take()[0]?.buffer;
  };
  const first = slabOf(one);
  const second = slabOf(one);
  expect(second).not.toBe(first);
  one.written();
  expect(slabOf(other)).not.toBe(first);
  one.written();
  expect(new Set([slabOf(other), slabOf(other)])).toEqual(new Set([first, second]));
});

test("a little takes a little memory, and nothing is kept after a trim", () => {
  const output = new Output();
  output.append(Uint8Array.of(1));
  expect(output.slab.length).toBe(1024);
  output.take();
  output.trim();
  expect(output.slab.length).toBe(0);
});

test("a large slab is not kept by who has sent everything", () => {
  const output = new Output();
  output.append(new Uint8Array(100_000));
  output.take();
  output.written();
  expect(output.slab.length).toBe(0);
});
