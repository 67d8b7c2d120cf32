import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeWorkerRecord,
  encodeWorkerRecord,
  MAX_NEEDED,
  RECORD_BYTES,
  type WorkerRecord,
} from "./worker-record.ts";

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const record: fc.Arbitrary<WorkerRecord> = fc.oneof(
  fc.constant({ kind: "ready" } as const),
  fc.record({
    kind: fc.constant("need" as const),
    slot: uint32,
    sockets: fc.constantFrom("direct" as const, "local" as const),
    count: fc.integer({ min: 1, max: MAX_NEEDED }),
  }),
  fc.record({ kind: fc.constant("prepared" as const), slot: uint32 }),
  fc.record({ kind: fc.constant("draining" as const), count: uint32 }),
);

test("what a worker writes is what the supervisor reads", () => {
  fc.assert(
    fc.property(record, (value) => {
      expect(decodeWorkerRecord(encodeWorkerRecord(value))).toEqual(value);
    }),
  );
});

test("of any 16 bytes only those are taken that an honest worker writes", () => {
  const byte = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 255 }));
  const bytes = fc.array(byte, { minLength: RECORD_BYTES, maxLength: RECORD_BYTES });
  const kinds = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 255 }));
  const property = fc.property(kinds, bytes, (kind, rest) => {
    const given = Uint8Array.from([kind, ...rest.slice(1)]);
    const decoded = decodeWorkerRecord(given);
    if (decoded) expect(encodeWorkerRecord(decoded)).toEqual(given);
  });
  fc.assert(property, { numRuns: 2_000 });
});

const bytesOf = (...[kind, sockets, zero, slot, count, end]: readonly number[]): Uint8Array => {
  const bytes = Buffer.alloc(RECORD_BYTES);
  bytes.writeUInt8(kind ?? 0, 0);
  bytes.writeUInt8(sockets ?? 0, 1);
  bytes.writeUInt16LE(zero ?? 0, 2);
  bytes.writeUInt32LE(slot ?? 0, 4);
  bytes.writeUInt32LE(count ?? 0, 8);
  bytes.writeUInt32LE(end ?? 0, 12);
  return bytes;
};

test.each<[string, Uint8Array]>([
  ["nothing", new Uint8Array(0)],
  ["one byte less", bytesOf(1).subarray(1)],
  ["one byte more", Buffer.concat([bytesOf(1), Buffer.alloc(1)])],
  ["an unknown kind", bytesOf(5)],
  ["kind zero", bytesOf(0)],
  ["ready with a slot", bytesOf(1, 0, 0, 1)],
  ["ready with a count", bytesOf(1, 0, 0, 0, 1)],
  ["ready with a kind of sockets", bytesOf(1, 1)],
  ["a need of nothing", bytesOf(2, 0, 0, 1, 0)],
  ["a need of more than anybody needs", bytesOf(2, 0, 0, 1, MAX_NEEDED + 1)],
  ["a need of all there are", bytesOf(2, 0, 0, 1, 2 ** 32 - 1)],
  ["a need of an unknown kind of sockets", bytesOf(2, 2, 0, 1, 1)],
  ["a need with something behind it", bytesOf(2, 0, 0, 1, 1, 1)],
  ["a pod that is prepared, with a count", bytesOf(3, 0, 0, 1, 1)],
  ["a pod that is prepared, with a kind of sockets", bytesOf(3, 1, 0, 1)],
  ["what is left, of one pod", bytesOf(4, 0, 0, 1, 1)],
  ["a need with something within it", bytesOf(2, 0, 1, 1, 1)],
])("%s is no record", (_, bytes) => {
  expect(decodeWorkerRecord(bytes)).toBeUndefined();
});
