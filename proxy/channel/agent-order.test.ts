import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type AgentOrder, decodeAgentOrder, encodeAgentOrder } from "./agent-order.ts";
import { FrameReader, MAX_DOWN_FRAME_BYTES, MAX_RESOURCE_BYTES, MAX_RESOURCE_NAME } from "./frame.ts";

const bytes = fc.uint8Array({ maxLength: 50 });
const order: fc.Arbitrary<AgentOrder> = fc.oneof(
  fc.record({
    kind: fc.constant("resource" as const),
    resource: fc.constantFrom(
      "address" as const,
      "authorization" as const,
      "trust-bundle" as const,
      "routing" as const,
    ),
    name: fc.string({ unit: "grapheme" }),
    bytes: fc.option(bytes, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("commit" as const), generation: fc.nat(), complete: fc.boolean() }),
  fc.record({
    kind: fc.constant("credential" as const),
    identity: fc.string(),
    chain: fc.array(bytes, { maxLength: 4 }),
    key: bytes,
  }),
  fc.record({ kind: fc.constant("credential-gone" as const), identity: fc.string() }),
);

/** Bytes as lists: a Buffer and other bytes are not equal to vitest. */
const plain = (order: AgentOrder): object => {
  if (order.kind === "resource") return { ...order, bytes: order.bytes && [...order.bytes] };
  if (order.kind !== "credential") return order;
  return { ...order, chain: order.chain.map((der) => [...der]), key: [...order.key] };
};

test("what the agent orders is what the worker reads", () => {
  const property = fc.property(fc.array(order), (orders) => {
    const reader = new FrameReader(10_000);
    const read = reader.push(Buffer.concat(orders.map(encodeAgentOrder))).map(decodeAgentOrder);
    expect(read.map(plain)).toMatchObject(orders.map(plain));
  });
  fc.assert(property);
});

test("a resource of no bytes is not a resource that is gone", () => {
  const decode = (order: AgentOrder): AgentOrder | undefined =>
    new FrameReader(1000).push(encodeAgentOrder(order)).map(decodeAgentOrder)[0];
  const resource = { kind: "resource", resource: "address", name: "a" } as const;
  expect(decode({ ...resource, bytes: new Uint8Array(0) })).toMatchObject({ bytes: Buffer.alloc(0) });
  expect(decode({ ...resource, bytes: undefined })).toMatchObject({ bytes: undefined });
});

test("the largest resource fits into a frame, whatever its name", () => {
  const name = "\u0001".repeat(MAX_RESOURCE_NAME);
  const frame = encodeAgentOrder({
    kind: "resource",
    resource: "address",
    name,
    bytes: new Uint8Array(MAX_RESOURCE_BYTES),
  });
  const reader = new FrameReader(MAX_DOWN_FRAME_BYTES);
  expect(reader.push(frame).map(decodeAgentOrder)).toMatchObject([{ name }]);
});
