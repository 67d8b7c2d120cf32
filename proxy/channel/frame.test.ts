import * as fc from "fast-check";
import { expect, test } from "vitest";
import { encodeFrame, type Frame, FrameReader } from "./frame.ts";

const frame = fc.record({ head: fc.jsonValue(), body: fc.uint8Array({ maxLength: 60 }) });

const plain = (frames: readonly Frame[]) => frames.map(({ head, body }) => ({ head, body: [...body] }));

/** JSON has no negative zero. */
const asJson = (head: unknown): unknown => JSON.parse(JSON.stringify(head));

test("frames are the same however their stream is cut", () => {
  const property = fc.property(fc.array(frame, { maxLength: 5 }), fc.array(fc.nat(400)), (frames, cuts) => {
    const bytes = Buffer.concat(frames.map(({ head, body }) => encodeFrame(head, body)));
    const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
    const reader = new FrameReader(10_000);
    const read = places.slice(1).flatMap((place, index) => reader.push(bytes.subarray(places[index], place)));
    expect(plain(read)).toEqual(plain(frames.map(({ head, body }) => ({ head: asJson(head), body }))));
  });
  fc.assert(property);
});

test("a stream that comes byte by byte is read as well", () => {
  const bytes = Buffer.concat([encodeFrame({ a: 1 }, Uint8Array.of(1, 2)), encodeFrame("b")]);
  const reader = new FrameReader(100);
  expect(plain([...bytes].flatMap((byte) => reader.push(Uint8Array.of(byte))))).toEqual([
    { head: { a: 1 }, body: [1, 2] },
    { head: "b", body: [] },
  ]);
});

test("a frame of exactly the limit is taken, one byte more ends the stream before it has arrived", () => {
  const limit = encodeFrame("x", new Uint8Array(50)).length - 4;
  expect(new FrameReader(limit).push(encodeFrame("x", new Uint8Array(50)))).toHaveLength(1);
  const tooLong = encodeFrame("x", new Uint8Array(51));
  expect(() => new FrameReader(limit).push(tooLong.subarray(0, 8))).toThrow(/is longer than/);
  const behindAnother = Buffer.concat([encodeFrame("x"), tooLong]);
  expect(() => new FrameReader(limit).push(behindAnother)).toThrow(/is longer than/);
});

const raw = (length: number, headLength: number, rest: string): Uint8Array => {
  const bytes = Buffer.alloc(8 + rest.length);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt32LE(headLength, 4);
  bytes.write(rest, 8);
  return bytes;
};

test.each<[string, Uint8Array, RegExp]>([
  ["a head that goes on in the next frame", raw(5, 2, "12"), /shorter than its head/],
  ["a head that is longer than anything", raw(6, 2 ** 32 - 1, "{}"), /shorter than its head/],
  ["no room for the length of a head", raw(3, 0, ""), /shorter than its head/],
  ["no room for anything", raw(0, 0, ""), /shorter than its head/],
  ["a head that is no JSON", raw(6, 2, "{x"), /JSON/],
  ["no head", raw(4, 0, ""), /JSON/],
])("%s ends the stream", (_, bytes, message) => {
  expect(() => new FrameReader(100).push(bytes)).toThrow(message);
});
