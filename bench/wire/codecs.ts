import { encodeRequestHead } from "#wire/http1/encode-head.ts";
import { field } from "#wire/http1/head.ts";
import { NO_CONTENT } from "#wire/http1/framing.ts";
import { RequestReader } from "#wire/http1/request-reader.ts";
import { FRAME_TYPE } from "#wire/http2/frame-header.ts";
import { FrameReader } from "#wire/http2/frame-reader.ts";
import { HpackDecoder } from "#wire/http2/hpack/hpack-decoder.ts";
import { HpackEncoder } from "#wire/http2/hpack/hpack-encoder.ts";
import { AUTHORITY, PATH, requestBytes, requestFields, requestSection } from "./messages.ts";
import { frame } from "./raw-http2.ts";

/** A codec in memory: does something again and again until told otherwise. @returns how much it did */
type Loop = (isOver: () => boolean) => number;

/** More than one, so that nothing is the same twice in a row; fewer than fit into what a socket brings. */
const VARIETY = 16;
const numbers = Array.from({ length: VARIETY }, (_, number) => number);
const TABLE_BYTES = 4096;
const LIMITS = { maxBytes: 32 * 1024, maxFields: 100, maxFieldBytes: 16 * 1024 };
const FRAME_BYTES = 1024;

export const http1Parse: Loop = (isOver) => {
  let heads = 0;
  const reader = new RequestReader({ onHead: () => void heads++, onData: () => undefined, onEnd: () => undefined });
  const chunk = Buffer.concat(numbers.map((number) => requestBytes(number)));
  while (!isOver()) for (let at = 0; at < chunk.length;) at += reader.read(chunk.subarray(at));
  return heads;
};

export const http1Encode: Loop = (isOver) => {
  const heads = numbers.map((number) => ({
    method: "GET",
    target: PATH,
    version: "1.1" as const,
    fields: [field("Host", AUTHORITY), ...requestFields(number)],
    framing: NO_CONTENT,
  }));
  return counted(isOver, heads, (head) => encodeRequestHead(head).length);
};

export const hpackDecode: Loop = (isOver) => {
  const encoder = new HpackEncoder(TABLE_BYTES);
  const decoder = new HpackDecoder(TABLE_BYTES);
  const encodeAll = (): readonly Uint8Array[] => numbers.map((number) => encoder.encode(requestSection(number)));
  // The first round fills the tables with all that goes into them; later blocks leave them as they are, and can be repeated.
  for (const block of encodeAll()) decoder.decode(block, LIMITS);
  const blocks = encodeAll();
  return counted(isOver, blocks, (block) => decoder.decode(block, LIMITS).kind.length);
};

export const hpackEncode: Loop = (isOver) => {
  const encoder = new HpackEncoder(TABLE_BYTES);
  return counted(
    isOver,
    numbers.map((number) => requestSection(number)),
    (section) => encoder.encode(section).length,
  );
};

export const http2Frames: Loop = (isOver) => {
  let frames = 0;
  const reader = new FrameReader(16 * 1024, {
    frame: () => undefined,
    dataBegins: () => undefined,
    data: () => undefined,
    dataEnds: () => void frames++,
  });
  const chunk = Buffer.concat(numbers.map(() => frame(FRAME_TYPE.data, 0, 1, Buffer.alloc(FRAME_BYTES))));
  while (!isOver()) reader.read(chunk);
  return frames;
};

/** What is computed is used, or a compiler might leave it out. */
const counted = <Item>(isOver: () => boolean, items: readonly Item[], work: (item: Item) => number): number => {
  let done = 0;
  let used = 0;
  while (!isOver()) {
    for (const item of items) used += work(item);
    done += items.length;
  }
  return used === 0 ? 0 : done;
};
