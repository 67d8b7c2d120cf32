import type { Duplex } from "node:stream";
import { vi } from "vitest";

/** RFC 9113 section 6. */
export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
} as const;

export const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;

/** Section 6.5.1. */
export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  noRfc7540Priorities: 9,
} as const;

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** For tests: one end of an HTTP/2 connection that says exactly what it is told to, and shows every frame that it gets. */
export class RawHttp2Peer {
  readonly frames: RawFrame[] = [];
  readonly #socket: Duplex;
  #bytes = Buffer.alloc(0);
  #preface: number;
  /** SETTINGS that arrived before ours were sent: a connection begins with SETTINGS and not with their acknowledgement. */
  #unacknowledged = 0;
  #hasSettings = false;

  /** @param isServer a client begins with 24 bytes that are no frame */
  constructor(socket: Duplex, isServer: boolean) {
    this.#socket = socket;
    this.#preface = isServer ? PREFACE.length : 0;
    if (!isServer) socket.write(PREFACE);
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  send(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  settings(values: Readonly<Partial<Record<number, number>>> = {}): void {
    const payload = Buffer.concat(
      Object.entries(values).map(([id, value]) => {
        const setting = Buffer.alloc(6);
        setting.writeUInt16BE(Number(id), 0);
        setting.writeUInt32BE(value ?? 0, 2);
        return setting;
      }),
    );
    this.send(FRAME.settings, 0, 0, payload);
    this.#hasSettings = true;
    for (; this.#unacknowledged > 0; this.#unacknowledged--) this.send(FRAME.settings, ACK, 0);
  }

  headers(stream: number, fields: readonly (readonly [string, string])[], flags = 0): void {
    this.send(FRAME.headers, END_HEADERS | flags, stream, hpackLiteral(fields));
  }

  reset(stream: number, code: number): void {
    this.send(FRAME.reset, 0, stream, uint32(code));
  }

  goaway(lastStream: number, code = 0): void {
    this.send(FRAME.goaway, 0, 0, Buffer.concat([uint32(lastStream), uint32(code)]));
  }

  /** Waits for a frame. */
  next(type: number, isWanted: (frame: RawFrame) => boolean = () => true): Promise<RawFrame> {
    return vi.waitFor(() => {
      const frame = this.frames.find((each) => each.type === type && isWanted(each));
      if (!frame) throw new Error(`no frame of type ${type} among ${this.frames.map((each) => each.type).join()}`);
      return frame;
    });
  }

  #read(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const skipped = Math.min(this.#preface, this.#bytes.length);
    this.#preface -= skipped;
    this.#bytes = this.#bytes.subarray(skipped);
    while (this.#bytes.length >= 9 && this.#bytes.length >= 9 + this.#bytes.readUIntBE(0, 3)) {
      const end = 9 + this.#bytes.readUIntBE(0, 3);
      this.#onFrame({
        type: this.#bytes.readUInt8(3),
        flags: this.#bytes.readUInt8(4),
        stream: this.#bytes.readUInt32BE(5),
        payload: Buffer.from(this.#bytes.subarray(9, end)),
      });
      this.#bytes = this.#bytes.subarray(end);
    }
  }

  #onFrame(frame: RawFrame): void {
    this.frames.push(frame);
    if (frame.type !== FRAME.settings || (frame.flags & ACK) !== 0) return;
    if (this.#hasSettings) this.send(FRAME.settings, ACK, 0);
    else this.#unacknowledged++;
  }
}

/** The values of a SETTINGS frame. */
export const readSettingsFrame = ({ payload }: RawFrame): Readonly<Record<number, number>> =>
  Object.fromEntries(
    Array.from({ length: payload.length / 6 }, (_, index) => [
      payload.readUInt16BE(index * 6),
      payload.readUInt32BE(index * 6 + 2),
    ]),
  );

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** Literals without indexing and without Huffman, each shorter than 127 bytes (RFC 7541 section 6.2.2). */
const hpackLiteral = (fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.of(0, name.length),
      Buffer.from(name),
      Buffer.of(value.length),
      Buffer.from(value),
    ]),
  );
