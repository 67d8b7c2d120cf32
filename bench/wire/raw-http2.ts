import { connect, type Socket } from "node:net";
import { FLAG, FRAME_HEADER_BYTES, FRAME_TYPE } from "#wire/http2/frame-header.ts";
import { PREFACE } from "#wire/http2/preface.ts";
import { SETTING } from "#wire/http2/settings.ts";

/** What a {@link RawHttp2} is told. */
export interface RawHttp2Events {
  /** A frame with END_STREAM. */
  readonly ended: () => void;
  readonly windowUpdate: (streamId: number, increment: number) => void;
  /** The server's SETTINGS. @param initialWindow of each stream, in bytes */
  readonly settings: (initialWindow: number) => void;
  readonly closed: (reason: string) => void;
}

/** A client that knows just enough of HTTP/2 to load a server with it, and takes next to no time for that. */
export class RawHttp2 {
  readonly #socket: Socket;
  readonly #events: RawHttp2Events;
  #rest: Buffer = Buffer.alloc(0);

  constructor(port: number, events: RawHttp2Events, onOpen: () => void) {
    this.#events = events;
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true }, () => {
      this.#socket.write(Buffer.concat([PREFACE, frame(FRAME_TYPE.settings, 0, 0, Buffer.alloc(0))]));
      onOpen();
    });
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#socket.on("error", ({ message }) => events.closed(message));
    this.#socket.on("close", () => events.closed("the server closed a connection"));
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
      if (bytes.length < end) break;
      this.#take(bytes.readUInt8(at + 3), bytes.readUInt8(at + 4), bytes.readUInt32BE(at + 5), bytes, at, end);
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }

  #take(type: number, flags: number, streamId: number, bytes: Buffer, at: number, end: number): void {
    const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end);
    const isAck = (flags & FLAG.ack) !== 0;
    if (type === FRAME_TYPE.settings && !isAck) {
      this.write(frame(type, FLAG.ack, 0, Buffer.alloc(0)));
      this.#events.settings(initialWindowOf(payload));
    } else if (type === FRAME_TYPE.ping && !isAck) this.write(frame(type, FLAG.ack, 0, payload));
    else if (type === FRAME_TYPE.windowUpdate) this.#events.windowUpdate(streamId, payload.readUInt32BE(0));
    else if (type === FRAME_TYPE.goaway || type === FRAME_TYPE.rstStream) this.#events.closed(`frame of type ${type}`);
    else if (type === FRAME_TYPE.headers && (flags & FLAG.endStream) !== 0) this.#events.ended();
    else if (type === FRAME_TYPE.data && (flags & FLAG.endStream) !== 0) this.#events.ended();
  }
}

/** Of every stream, unless SETTINGS say otherwise (RFC 9113 section 6.5.2). */
const INITIAL_WINDOW = 65_535;
const SETTING_BYTES = 6;

const initialWindowOf = (payload: Buffer): number => {
  for (let at = 0; at < payload.length; at += SETTING_BYTES) {
    if (payload.readUInt16BE(at) === SETTING.initialWindowSize) return payload.readUInt32BE(at + 2);
  }
  return INITIAL_WINDOW;
};

export const frame = (type: number, flags: number, streamId: number, payload: Uint8Array): Buffer => {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(streamId, 5);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
};
