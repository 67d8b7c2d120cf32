import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Output } from "../../output.ts";
import { FLAG, FRAME_TYPE, type FrameHeader, readFrameHeader } from "../frame-header.ts";
import { FrameReader } from "../frame-reader.ts";
import { rawFrame } from "../testing/raw-frames.ts";
import { appendData } from "./data.ts";
import { appendGoAway, readGoAway } from "./goaway.ts";
import { appendFieldBlock, readHeadersFragment } from "./headers.ts";
import { withoutPadding } from "./padding.ts";
import { appendPing, checkPing } from "./ping.ts";
import { checkPriority } from "./priority.ts";
import { appendRstStream, readRstStream } from "./rst-stream.ts";
import { appendSettings, appendSettingsAck, readSettings, type Setting } from "./settings.ts";
import { appendWindowUpdate, readWindowUpdate } from "./window-update.ts";

const MAX_FRAME = 16_384;
const streamId = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

interface Frame extends FrameHeader {
  readonly payload: Uint8Array;
}

/** What the reader makes of bytes, DATA joined. */
const framesOf = (bytes: Uint8Array, splits: readonly number[] = []): readonly Frame[] => {
  const frames: Frame[] = [];
  let open: { header: FrameHeader; pieces: Uint8Array[] } | undefined;
  const reader = new FrameReader(MAX_FRAME, {
    frame: (header, payload) => void frames.push({ ...header, payload: Uint8Array.from(payload) }),
    dataBegins: (header) => (open = { header, pieces: [] }),
    data: (piece) => void open?.pieces.push(Uint8Array.from(piece)),
    dataEnds: () => {
      if (open) frames.push({ ...open.header, payload: Uint8Array.from(Buffer.concat(open.pieces)) });
    },
  });
  let from = 0;
  for (const to of [...splits.map((split) => split % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    // As from a socket: a Buffer, which is overwritten afterwards.
    const chunk = Buffer.from(bytes.subarray(from, to));
    reader.read(chunk);
    chunk.fill(0xff);
    from = to;
  }
  return frames;
};

const written = (write: (output: Output) => void): Uint8Array => {
  const output = new Output();
  write(output);
  return Buffer.concat(output.take());
};

const only = (write: (output: Output) => void): Frame => {
  const frames = framesOf(written(write));
  expect(frames.length).toBe(1);
  return frames[0] as Frame;
};

test("what is written is read again", () => {
  const bytes = fc.uint8Array({ maxLength: 3000 });
  fc.assert(
    fc.property(streamId, uint32, bytes, fc.boolean(), (id, value, payload, endStream) => {
      const data = only((output) => appendData(output, id, payload, endStream));
      expect([data.streamId, data.flags, data.payload]).toEqual([id, endStream ? FLAG.endStream : 0, payload]);
      const reset = only((output) => appendRstStream(output, id, value));
      expect([reset.streamId, readRstStream(reset.payload)]).toEqual([id, value]);
      const update = only((output) => appendWindowUpdate(output, id, id));
      expect([update.streamId, readWindowUpdate(update.payload)]).toEqual([id, id]);
      const opaque = payload.length >= 8 ? payload.subarray(0, 8) : new Uint8Array(8);
      const ping = only((output) => appendPing(output, opaque, endStream));
      expect([ping.flags, ping.payload]).toEqual([endStream ? FLAG.ack : 0, opaque]);
    }),
  );
});

test("settings and GOAWAY are read as they were written", () => {
  const setting = fc.tuple(fc.integer({ min: 0, max: 65_535 }), uint32) as fc.Arbitrary<Setting>;
  const text = fc.string({ unit: fc.constantFrom("a", "B", " ", "~"), maxLength: 256 });
  fc.assert(
    fc.property(fc.array(setting, { maxLength: 32 }), streamId, uint32, text, (settings, lastStreamId, code, debug) => {
      expect(readSettings(only((output) => appendSettings(output, settings)).payload, 32)).toEqual(settings);
      const goAway = { lastStreamId, code, debug };
      expect(readGoAway(only((output) => appendGoAway(output, goAway)).payload)).toEqual(goAway);
    }),
  );
  expect(only(appendSettingsAck)).toMatchObject({ flags: FLAG.ack, length: 0 });
});

test("a field block is cut into frames of the peer's size, of which only the first ends the stream and the last the block", () => {
  const block = Uint8Array.from({ length: 40_000 }, (_, index) => index);
  const frames = framesOf(written((output) => appendFieldBlock(output, 5, block, true, MAX_FRAME)));
  expect(frames.map(({ type, flags, length, streamId }) => [type, flags, length, streamId])).toEqual([
    [FRAME_TYPE.headers, FLAG.endStream, MAX_FRAME, 5],
    [FRAME_TYPE.continuation, 0, MAX_FRAME, 5],
    [FRAME_TYPE.continuation, FLAG.endHeaders, 40_000 - 2 * MAX_FRAME, 5],
  ]);
  expect(Buffer.concat(frames.map(({ payload }) => payload)).equals(block)).toBe(true);
  const [empty] = framesOf(written((output) => appendFieldBlock(output, 5, new Uint8Array(0), false, MAX_FRAME)));
  expect(empty).toMatchObject({ type: FRAME_TYPE.headers, flags: FLAG.endHeaders, length: 0 });
});

test("any split of the bytes gives the same frames, whatever becomes of the chunks", () => {
  const frame = fc.record({
    type: fc.integer({ min: 1, max: 12 }),
    flags: fc.constantFrom(0, 1, 4, 5),
    streamId: fc.integer({ min: 0, max: 9 }),
    payload: fc.uint8Array({ maxLength: 700 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 30 }), (sent, splits) => {
      const bytes = Buffer.concat(
        sent.map(({ type, flags, streamId, payload }) => rawFrame(type, flags, streamId, payload)),
      );
      expect(framesOf(bytes, splits)).toEqual(sent.map((one) => ({ ...one, length: one.payload.length })));
    }),
  );
});

test("a frame that comes byte by byte is whole at its end", () => {
  const kept: Uint8Array[] = [];
  const reader = new FrameReader(MAX_FRAME, {
    frame: (_, payload) => void kept.push(payload),
    dataBegins: () => undefined,
    data: () => undefined,
    dataEnds: () => undefined,
  });
  for (const byte of rawFrame(FRAME_TYPE.headers, 4, 1, new Uint8Array(MAX_FRAME).fill(7)))
    reader.read(Buffer.of(byte));
  expect(kept.map((payload) => [payload.length, payload.every((byte) => byte === 7)])).toEqual([[MAX_FRAME, true]]);
});

test("a frame header has 31 bits of stream; the reserved bit has no meaning (RFC 9113 section 4.1)", () => {
  const header = readFrameHeader(rawFrame(0xee, 0xff, 2 ** 32 - 1, [1, 2]), 0);
  expect(header).toEqual({ type: 0xee, flags: 0xff, streamId: 2 ** 31 - 1, length: 2 });
});

// RFC 9113 sections 6.1 to 6.9.
const WRONG: readonly (readonly [what: string, read: () => unknown, code: number])[] = [
  ["RST_STREAM of 5 bytes", () => readRstStream(new Uint8Array(5)), 6],
  ["WINDOW_UPDATE of 3 bytes", () => readWindowUpdate(new Uint8Array(3)), 6],
  ["PING of 9 bytes", () => checkPing(new Uint8Array(9)), 6],
  ["PRIORITY of 6 bytes", () => checkPriority(new Uint8Array(6), 1), 6],
  ["GOAWAY of 7 bytes", () => readGoAway(new Uint8Array(7)), 6],
  ["SETTINGS of 7 bytes", () => readSettings(new Uint8Array(7), 32), 6],
  ["33 settings where 32 are allowed", () => readSettings(new Uint8Array(33 * 6), 32), 11],
  ["HEADERS too short for the priority", () => readHeadersFragment(new Uint8Array(4), FLAG.priority), 6],
  ["HEADERS of padding only", () => readHeadersFragment(Uint8Array.of(1), FLAG.padded), 1],
  ["padding longer than the frame", () => withoutPadding(Uint8Array.of(9, 0, 0)), 1],
  ["a padded frame of no bytes", () => withoutPadding(new Uint8Array(0)), 6],
  ["a frame above our limit", () => framesOf(rawFrame(0x42, 0, 0, new Uint8Array(MAX_FRAME + 1))), 6],
];

test.each(WRONG)("%s is refused", (_, read, code) => {
  expect(read).toThrow(expect.objectContaining({ code }));
});

test("padding that leaves nothing is right", () => {
  expect(withoutPadding(Uint8Array.of(2, 0, 0)).length).toBe(0);
});
