import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type StreamOwner, StreamRecord } from "./stream.ts";
import { StreamsById } from "./streams-by-id.ts";

const owner: StreamOwner = {
  sendHead: () => undefined,
  write: () => true,
  end: () => undefined,
  reset: () => undefined,
  consumed: () => undefined,
};

const streamOf = (id: number): StreamRecord => new StreamRecord(id, "GET", 65_535, 65_535, owner, "open");

/** Few numbers, so that they meet again, and far apart, so that several are in one list. */
const ids = fc.integer({ min: 0, max: 40 }).map((at) => 1 + 2 * (at % 4) + 128 * Math.floor(at / 4));

test("finds what was added and not deleted, as a map does, and tells it in the order of numbers", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), ids), { maxLength: 200 }), (steps) => {
      const [streams, expected] = [new StreamsById(), new Map<number, StreamRecord>()];
      for (const [isAdded, id] of steps) {
        const known = expected.get(id);
        if (isAdded && !known) {
          const stream = streamOf(id);
          expected.set(id, stream);
          streams.add(stream);
        } else if (!isAdded) {
          expect(streams.delete(known ?? streamOf(id))).toBe(expected.delete(id));
        }
        expect(streams.get(id)).toBe(expected.get(id));
        expect(streams.size).toBe(expected.size);
      }
      expect(streams.all()).toEqual([...expected.values()].toSorted((a, b) => a.id - b.id));
    }),
  );
});

test("a stream that was deleted leads to no other: it may live on for long", () => {
  const streams = new StreamsById();
  const [first, second] = [streamOf(1), streamOf(129)];
  streams.add(first);
  streams.add(second);
  expect(second.next).toBe(first);
  streams.delete(second);
  expect(second.next).toBeUndefined();
});
