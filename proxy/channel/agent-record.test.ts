import * as fc from "fast-check";
import { expect, test } from "vitest";
import { AGENT_RECORD_BYTES, decodeAgentRecord, encodeAgentRecord } from "./agent-record.ts";

test("what the agent writes is what the supervisor reads", () => {
  const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(uint32, uint32, (index, pid) => {
      const record = { kind: "end-worker", index, pid } as const;
      expect(decodeAgentRecord(encodeAgentRecord(record))).toEqual(record);
    }),
  );
  for (const kind of ["synced", "alive"] as const) {
    expect(decodeAgentRecord(encodeAgentRecord({ kind }))).toEqual({ kind });
  }
});

test("of any bytes only those are taken that the agent writes", () => {
  const sparse = fc.array(fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(255)), { maxLength: 20 });
  fc.assert(
    fc.property(fc.constantFrom(1, 2, 3), sparse, (kind, numbers) => {
      const bytes = Uint8Array.from([kind, ...numbers]);
      const decoded = decodeAgentRecord(bytes);
      if (decoded) expect(encodeAgentRecord(decoded)).toEqual(bytes);
      else expect(bytes.length !== AGENT_RECORD_BYTES || numbers.some((number) => number !== 0)).toBe(true);
    }),
  );
});

test.each([0, 1, 2, 3, 12, 15])("byte %i means something: another value is no record", (index) => {
  const bytes = encodeAgentRecord({ kind: "end-worker", index: 1, pid: 2 });
  bytes[index] = 7;
  expect(decodeAgentRecord(bytes)).toBeUndefined();
});
