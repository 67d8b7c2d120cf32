import { FLAG, FRAME_TYPE } from "../frame-header.ts";

/** Frames as any peer may send them, right or wrong: made without the code that is tested. */
export const rawFrame = (
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array | readonly number[] = [],
): Uint8Array => {
  const { length } = payload;
  const header = Buffer.alloc(9);
  header.writeUIntBE(length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, Uint8Array.from(payload)]);
};

export type Pairs = readonly (readonly [name: string, value: string])[];

/** A field block of literals without indexing (RFC 7541 section 6.2.2): no table is needed to read it. */
export const rawBlock = (fields: Pairs): Uint8Array =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), rawString(name), rawString(value)]));

const rawString = (text: string): Uint8Array => {
  const bytes = Buffer.from(text, "latin1");
  const length = [Math.min(bytes.length, 127)];
  if (bytes.length >= 127) {
    let rest = bytes.length - 127;
    for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
};

const { endStream: END_STREAM, endHeaders: END_HEADERS } = FLAG;

/** A whole field section in one frame. */
export const headers = (streamId: number, fields: Pairs, endStream = false): Uint8Array =>
  rawFrame(FRAME_TYPE.headers, END_HEADERS | (endStream ? END_STREAM : 0), streamId, rawBlock(fields));

export const GET: Pairs = [
  [":method", "GET"],
  [":scheme", "http"],
  [":authority", "shop"],
  [":path", "/"],
];

export const POST: Pairs = [[":method", "POST"], ...GET.slice(1)];

/** With one of the fields of a GET replaced, or left out where there is no value. */
export const getWith = (name: string, value: string | undefined): Pairs =>
  GET.flatMap(([own, old]) => {
    if (own !== name) return [[own, old] as const];
    return value === undefined ? [] : [[own, value] as const];
  });

export const get = (streamId: number, more: Pairs = []): Uint8Array => headers(streamId, [...GET, ...more], true);
export const post = (streamId: number, more: Pairs = []): Uint8Array => headers(streamId, [...POST, ...more]);

export const data = (streamId: number, bytes: number | string, endStream = false): Uint8Array => {
  const payload = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : new Uint8Array(bytes);
  return rawFrame(FRAME_TYPE.data, endStream ? END_STREAM : 0, streamId, payload);
};

const uint32 = (value: number): readonly number[] => [
  value >>> 24,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];

export const rst = (streamId: number, code = 8): Uint8Array =>
  rawFrame(FRAME_TYPE.rstStream, 0, streamId, uint32(code));
export const windowUpdate = (streamId: number, increment: number): Uint8Array =>
  rawFrame(FRAME_TYPE.windowUpdate, 0, streamId, uint32(increment));
export const goAway = (lastStreamId: number, code = 0): Uint8Array =>
  rawFrame(FRAME_TYPE.goaway, 0, 0, [...uint32(lastStreamId), ...uint32(code)]);
export const settings = (...pairs: readonly (readonly [id: number, value: number])[]): Uint8Array => {
  const payload = pairs.flatMap(([id, value]) => [id >>> 8, id & 255, ...uint32(value)]);
  return rawFrame(FRAME_TYPE.settings, 0, 0, payload);
};
export const SETTINGS_ACK = rawFrame(FRAME_TYPE.settings, FLAG.ack, 0);
export const ping = (first = 7, flags = 0): Uint8Array =>
  rawFrame(FRAME_TYPE.ping, flags, 0, [first, 0, 0, 0, 0, 0, 0, 0]);

/** A frame as it was sent to a peer. */
export interface SentFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** @param bytes whole frames */
export const splitFrames = (bytes: Uint8Array): readonly SentFrame[] => {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: SentFrame[] = [];
  for (let at = 0; at < all.length;) {
    const end = at + 9 + all.readUIntBE(at, 3);
    if (end > all.length) throw new Error("the last frame is not whole");
    frames.push({
      type: all.readUInt8(at + 3),
      flags: all.readUInt8(at + 4),
      streamId: all.readUInt32BE(at + 5),
      payload: all.subarray(at + 9, end),
    });
    at = end;
  }
  return frames;
};

const NAMES: readonly string[] = [
  "DATA",
  "HEADERS",
  "PRIORITY",
  "RST_STREAM",
  "SETTINGS",
  "PUSH_PROMISE",
  "PING",
  "GOAWAY",
  "WINDOW_UPDATE",
  "CONTINUATION",
];

/** `RST_STREAM 1 code 8`, `GOAWAY last 3 code 11`, `DATA 1 length 5 END_STREAM`: what a test compares. */
export const describeFrame = ({ type, flags, streamId, payload }: SentFrame): string => {
  const name = NAMES[type] ?? `type ${type}`;
  switch (type) {
    case FRAME_TYPE.rstStream:
      return `${name} ${streamId} code ${payload.readUInt32BE(0)}`;
    case FRAME_TYPE.goaway:
      return `${name} last ${payload.readUInt32BE(0)} code ${payload.readUInt32BE(4)}`;
    case FRAME_TYPE.windowUpdate:
      return `${name} ${streamId} +${payload.readUInt32BE(0)}`;
    case FRAME_TYPE.settings:
    case FRAME_TYPE.ping:
      return flags & FLAG.ack ? `${name} ACK` : name;
    case FRAME_TYPE.data:
      return `${name} ${streamId} length ${payload.length}${flags & END_STREAM ? " END_STREAM" : ""}`;
    default:
      return `${name} ${streamId}${flags & END_STREAM ? " END_STREAM" : ""}`;
  }
};
