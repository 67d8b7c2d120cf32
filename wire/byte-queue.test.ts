import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ByteQueue } from "./byte-queue.ts";

test("what was added comes out in order, in pieces of at most what was asked for, and stays as it was", () => {
  const size = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 900, max: 3000 }));
  const step = fc.record({ add: fc.array(size, { maxLength: 5 }), take: fc.array(fc.integer({ min: 1, max: 2000 })) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const queue = new ByteQueue();
      const [added, taken]: [Buffer[], Uint8Array[]] = [[], []];
      let next = 0;
      const held = (): number => sum(added) - sum(taken);
      for (const { add, take } of steps) {
        for (const length of add) {
          const bytes = Buffer.from(Array.from({ length }, () => next++ % 251));
          added.push(Buffer.from(bytes));
          queue.add(bytes);
          bytes.fill(0xff);
        }
        for (const most of take) {
          const before = held();
          const part = queue.take(most);
          expect(part.length).toBeLessThanOrEqual(most);
          expect(part.length > 0).toBe(before > 0);
          taken.push(part);
          expect(queue.length).toBe(held());
        }
      }
      while (queue.length > 0) taken.push(queue.take(Infinity));
      expect(Buffer.concat(taken).equals(Buffer.concat(added))).toBe(true);
    }),
  );
});

const sum = (parts: readonly Uint8Array[]): number => parts.reduce((total, { length }) => total + length, 0);

test("single bytes are joined: few parts, and about as much memory as there are bytes", () => {
  const queue = new ByteQueue();
  for (let index = 0; index < 100_000; index++) queue.add(Uint8Array.of(index % 251));
  const buffers = new Set<ArrayBufferLike>();
  while (queue.length > 0) buffers.add(queue.take(Infinity).buffer);
  const held = [...buffers].reduce((total, { byteLength }) => total + byteLength, 0);
  expect(held).toBeLessThan(1.5 * 100_000);
});
