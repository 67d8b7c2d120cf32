import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  type AgentMessage,
  decodeAgentMessage,
  decodeWorkerMessage,
  encodeMessage,
  type WorkerMessage,
} from "./message.ts";

const slot = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const text = fc.string({ unit: "grapheme" });
const pod = fc.record({
  uid: text,
  namespace: text,
  name: text,
  serviceAccount: text,
  addresses: fc.array(text),
  node: text,
  riskyCapabilities: fc.array(text),
});
const workerMessage: fc.Arbitrary<WorkerMessage> = fc.oneof(
  fc.record({ kind: fc.constant("pod" as const), slot, pod, isHeld: fc.boolean() }),
  fc.constant({ kind: "accept" } as const),
  fc.record({ kind: fc.constant("retire" as const), drainMs: fc.nat() }),
  fc.record({ kind: fc.constantFrom("release" as const, "drain" as const), slot }),
  fc.constant({ kind: "agent" } as const),
  fc.record({
    kind: fc.constant("sockets" as const),
    slot,
    sockets: fc.constantFrom("direct" as const, "local" as const),
  }),
);
const agentMessage: fc.Arbitrary<AgentMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("worker" as const),
    index: fc.nat(),
    startId: text,
    pid: fc.nat(),
    restarts: fc.nat(),
  }),
  fc.record({ kind: fc.constant("worker-gone" as const), startId: text, reason: text }),
  fc.record({ kind: fc.constant("pod" as const), slot, worker: fc.nat(), pod }),
  fc.record({ kind: fc.constant("pod-gone" as const), slot }),
  fc.record({ kind: fc.constant("capture" as const), slot, problem: text }),
  fc.record({ kind: fc.constantFrom("complete" as const, "serve" as const, "retire" as const) }),
);

test("what the supervisor tells a worker is what the worker reads, and the descriptors go along", () => {
  fc.assert(
    fc.property(workerMessage, fc.array(fc.nat()), (message, descriptors) => {
      const encoded = encodeMessage(message, descriptors);
      expect(decodeWorkerMessage(encoded.payload)).toEqual(message);
      expect(encoded.descriptors).toEqual(descriptors);
    }),
  );
});

test("what the supervisor tells the agent is what the agent reads", () => {
  fc.assert(
    fc.property(agentMessage, (message) => {
      expect(decodeAgentMessage(encodeMessage(message).payload)).toEqual(message);
    }),
  );
});

test("a capture that is in order has no problem", () => {
  const { payload } = encodeMessage({ kind: "capture", slot: 1, problem: undefined });
  expect(decodeAgentMessage(payload)).toEqual({ kind: "capture", slot: 1 });
});

test("a message of another form is a broken invariant", () => {
  expect(() => decodeWorkerMessage(Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0))).toThrow(/unknown form 9/);
});
