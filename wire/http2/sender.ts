import type { Field } from "../field.ts";
import type { Output } from "../output.ts";
import { ERROR_CODE } from "./error-code.ts";
import type { FloodGuard } from "./flood-guard.ts";
import { appendData } from "./frames/data.ts";
import { appendFieldBlock } from "./frames/headers.ts";
import type { HpackEncoder } from "./hpack/hpack-encoder.ts";
import { Http2ConnectionError, Http2StreamError } from "./http2-error.ts";
import { ByteQueue } from "../byte-queue.ts";
import { INITIAL_PEER_SETTINGS, MAX_WINDOW, type Settings } from "./settings.ts";
import type { StreamRecord } from "./stream.ts";
import { canSend, transition } from "./stream-state.ts";

/** What one stream sends before it is the next one's turn. */
const QUANTUM_BYTES = 16 * 1024;
/** Bytes that go out in one turn of the event loop before streams begin to queue; the rest of the loop has a turn as well. */
const MAX_OUTPUT_BYTES = 256 * 1024;
/**
 * When the streams of a connection have so much queued together, each that has anything queued is told to wait, until it has had a
 * turn and at most half of this is its own. A request for a large answer is some 50 bytes, and a peer may ask for a hundred
 * and take nothing (H2-21): so much is held for it, and of each stream what was written before that was told to wait. A
 * stream that has nothing queued may always write: none waits for another that does not flow.
 */
const QUEUE_BYTES = 64 * 1024;

const EMPTY = new Uint8Array(0);

/** Everything that streams send, within the windows of the peer and in fair turns. */
export class Sender {
  readonly #output: Output;
  readonly #encoder: HpackEncoder;
  readonly #guard: FloodGuard;
  readonly #onSent: (stream: StreamRecord) => void;
  #peer = INITIAL_PEER_SETTINGS;
  /** What the peer lets us send on the whole connection. */
  #window = INITIAL_PEER_SETTINGS.initialWindowSize;
  /** Streams that have something to send and room in their own window, in the order of their turns. */
  readonly #turns = new Set<StreamRecord>();
  /** Bytes that all streams have queued. */
  #queued = 0;
  /** Whether whoever carries the bytes has enough for now. */
  isBlocked = false;

  /** @param onSent the stream may be closed now */
  constructor(output: Output, encoder: HpackEncoder, guard: FloodGuard, onSent: (stream: StreamRecord) => void) {
    this.#output = output;
    this.#encoder = encoder;
    this.#guard = guard;
    this.#onSent = onSent;
  }

  get peer(): Settings {
    return this.#peer;
  }

  /**
   * The peer's SETTINGS changed.
   * @param tableSizes each that they named, in order: the smallest must be announced, too (RFC 7541 section 4.2)
   * @throws Http2ConnectionError if a window overflows
   */
  configure(peer: Settings, tableSizes: readonly number[], streams: readonly StreamRecord[]): void {
    const difference = peer.initialWindowSize - this.#peer.initialWindowSize;
    this.#peer = peer;
    for (const bytes of tableSizes) this.#encoder.setMaxTableBytes(bytes);
    if (difference === 0) return;
    for (const stream of streams) {
      stream.sendWindow += difference;
      if (stream.sendWindow > MAX_WINDOW) {
        throw new Http2ConnectionError(ERROR_CODE.flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE overflows a window");
      }
      this.#schedule(stream);
    }
    this.pump();
  }

  /** The peer may be sent more. @throws Http2ConnectionError */
  growConnection(increment: number): void {
    this.#window += increment;
    if (this.#window > MAX_WINDOW) {
      throw new Http2ConnectionError(ERROR_CODE.flowControlError, "WINDOW_UPDATE overflows the connection's window");
    }
    this.pump();
  }

  /** The peer may be sent more on a stream. @throws Http2StreamError */
  growStream(stream: StreamRecord, increment: number): void {
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW) {
      throw new Http2StreamError(stream.id, ERROR_CODE.flowControlError, "WINDOW_UPDATE overflows the window");
    }
    this.#schedule(stream);
    this.pump();
  }

  sendHead(stream: StreamRecord, section: readonly Field[], endStream: boolean): void {
    if (!this.#may(stream, "send-headers")) return;
    this.#guard.sent();
    appendFieldBlock(this.#output, stream.id, this.#encoder.encode(section), endStream, this.#peer.maxFrameSize);
    if (endStream) this.#ended(stream);
  }

  write(stream: StreamRecord, bytes: Uint8Array): boolean {
    if (!canSend(stream.state) || stream.ending) {
      if (transition(stream.state, "send-end") === "ignored") return true;
      throw new Error(`stream ${stream.id}: written to after its end`);
    }
    const sent = stream.queuedBytes === 0 && !this.#isFull ? this.#sendNow(stream, bytes) : 0;
    if (sent < bytes.length) {
      this.#queued += bytes.length - sent;
      (stream.queue ??= new ByteQueue()).add(sent === 0 ? bytes : bytes.subarray(sent));
      this.#schedule(stream);
    }
    stream.wantsWritable ||= stream.queuedBytes > 0 && this.#queued >= QUEUE_BYTES;
    return !stream.wantsWritable;
  }

  end(stream: StreamRecord, trailers: readonly Field[] | undefined): void {
    if (!canSend(stream.state) || stream.ending) return;
    if (stream.queuedBytes > 0) stream.ending = { trailers };
    else this.#sendEnd(stream, trailers);
  }

  /** Forgets what a stream still wanted to send. */
  drop(stream: StreamRecord): void {
    this.#queued -= stream.queuedBytes;
    stream.queue = undefined;
    stream.ending = undefined;
    stream.wantsWritable = false;
    this.#turns.delete(stream);
  }

  /** Sends of what is queued as much as may be sent, each stream a bit at a time. */
  pump(): void {
    while (this.#window > 0 && !this.#isFull) {
      const [stream] = this.#turns;
      if (!stream) return;
      this.#turns.delete(stream);
      this.#takeTurn(stream);
    }
  }

  #takeTurn(stream: StreamRecord): void {
    for (let left = QUANTUM_BYTES; left > 0 && stream.queue && stream.queuedBytes > 0;) {
      const room = Math.min(left, this.#roomOf(stream));
      if (room <= 0) break;
      const bytes = stream.queue.take(room);
      left -= bytes.length;
      this.#queued -= bytes.length;
      const isLast = stream.queuedBytes === 0 && stream.ending !== undefined && !stream.ending.trailers;
      this.#sendData(stream, bytes, isLast);
    }
    if (stream.queuedBytes > 0) this.#schedule(stream);
    else if (stream.ending) this.#sendEnd(stream, stream.ending.trailers);
    if (!stream.wantsWritable || stream.queuedBytes > QUEUE_BYTES / 2) return;
    stream.wantsWritable = false;
    stream.handler.writable();
  }

  /** @returns how many bytes were sent: what the windows let through */
  #sendNow(stream: StreamRecord, bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length) {
      const to = Math.min(bytes.length, at + this.#roomOf(stream));
      if (to <= at) return at;
      this.#sendData(stream, to - at === bytes.length ? bytes : bytes.subarray(at, to), false);
      at = to;
    }
    return at;
  }

  /** Bytes that the stream's next frame may have; none or less while a window is closed. */
  #roomOf(stream: StreamRecord): number {
    return Math.min(stream.sendWindow, this.#window, this.#peer.maxFrameSize);
  }

  #sendData(stream: StreamRecord, bytes: Uint8Array, endStream: boolean): void {
    stream.sendWindow -= bytes.length;
    this.#window -= bytes.length;
    this.#guard.sent();
    appendData(this.#output, stream.id, bytes, endStream);
    if (endStream) this.#ended(stream);
  }

  #sendEnd(stream: StreamRecord, trailers: readonly Field[] | undefined): void {
    if (!trailers) appendData(this.#output, stream.id, EMPTY, true);
    else appendFieldBlock(this.#output, stream.id, this.#encoder.encode(trailers), true, this.#peer.maxFrameSize);
    this.#ended(stream);
  }

  #ended(stream: StreamRecord): void {
    stream.ending = undefined;
    if (this.#may(stream, "send-end")) this.#onSent(stream);
  }

  #may(stream: StreamRecord, event: "send-headers" | "send-end"): boolean {
    const next = transition(stream.state, event);
    if (next === "misuse") throw new Error(`stream ${stream.id}: ${event} while ${stream.state}`);
    if (next === "ignored") return false;
    stream.state = next as typeof stream.state;
    return true;
  }

  #schedule(stream: StreamRecord): void {
    if (stream.queuedBytes > 0 && stream.sendWindow > 0) this.#turns.add(stream);
  }

  get #isFull(): boolean {
    return this.isBlocked || this.#output.length >= MAX_OUTPUT_BYTES;
  }
}
