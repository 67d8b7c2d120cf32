import type { Output } from "../output.ts";
import type { Field } from "../field.ts";
import { ERROR_CODE, type ErrorCode } from "./error-code.ts";
import { type FieldBlock, FieldBlockReader } from "./field-block.ts";
import type { FloodGuard } from "./flood-guard.ts";
import { FLAG, FRAME_TYPE, type FrameHeader } from "./frame-header.ts";
import { type FrameHandler, FrameReader } from "./frame-reader.ts";
import { type GoAway, readGoAway } from "./frames/goaway.ts";
import { readHeadersFragment } from "./frames/headers.ts";
import { appendPing, checkPing } from "./frames/ping.ts";
import { checkPriority } from "./frames/priority.ts";
import { appendRstStream, readRstStream } from "./frames/rst-stream.ts";
import { appendSettingsAck, readSettings } from "./frames/settings.ts";
import { readWindowUpdate } from "./frames/window-update.ts";
import type { GoingAway } from "./going-away.ts";
import type { Http2Handler } from "./handler.ts";
import { HpackDecoder } from "./hpack/hpack-decoder.ts";
import { Http2ConnectionError, Http2StreamError } from "./http2-error.ts";
import {
  hasWholeContent,
  malformed,
  receiveContent,
  receiveEnd,
  receiveRequest,
  receiveResponse,
  receiveTrailers,
} from "./inbound-message.ts";
import type { Http2Limits } from "./limits.ts";
import type { LiveStreams } from "./live-streams.ts";
import { readRequestHead } from "./message-rules.ts";
import { ReceivePace } from "./receive-pace.ts";
import type { Pings } from "./pings.ts";
import { PrefaceReader } from "./preface.ts";
import { tableSizesIn, withSettings } from "./settings.ts";
import type { StreamRecord } from "./stream.ts";
import { canReceive, isClosed, type StreamState, transition } from "./stream-state.ts";
import type { StreamTable } from "./stream-table.ts";

/** What frames act upon. */
export interface ReceiverParts {
  readonly role: "client" | "server";
  readonly limits: Http2Limits;
  readonly handler: Http2Handler;
  readonly streams: LiveStreams;
  readonly output: Output;
  readonly guard: FloodGuard;
  readonly pings: Pings;
  readonly goingAway: GoingAway;
}

/** Everything that the peer sends: in which order frames may come, and what each does. */
export class Receiver implements FrameHandler {
  readonly #role: "client" | "server";
  readonly #limits: Http2Limits;
  readonly #handler: Http2Handler;
  readonly #streams: LiveStreams;
  readonly #table: StreamTable;
  readonly #output: Output;
  readonly #guard: FloodGuard;
  readonly #pings: Pings;
  readonly #goingAway: GoingAway;
  readonly #reader: FrameReader;
  readonly #preface: PrefaceReader | undefined;
  readonly #blocks: FieldBlockReader;
  readonly #decoder: HpackDecoder;
  #nowMs = 0;
  readonly #pace: ReceivePace = new ReceivePace(() => this.#reader.pause());
  #isReady = false;
  #isStopped = false;
  #isSettingsAckDue = true;
  /** Of the DATA frame that comes in: its stream if that takes data, and what of the frame has no reader. */
  #dataStream: StreamRecord | undefined;
  #dataEndsStream = false;
  #dataUnread = 0;
  #hasData = false;

  constructor(parts: ReceiverParts) {
    const { role, limits } = parts;
    this.#role = role;
    this.#limits = limits;
    this.#handler = parts.handler;
    this.#streams = parts.streams;
    this.#table = parts.streams.table;
    this.#output = parts.output;
    this.#guard = parts.guard;
    this.#pings = parts.pings;
    this.#goingAway = parts.goingAway;
    this.#reader = new FrameReader(limits.settings.maxFrameSize, this);
    this.#preface = role === "server" ? new PrefaceReader() : undefined;
    this.#blocks = new FieldBlockReader(limits);
    this.#decoder = new HpackDecoder(limits.settings.headerTableSize);
  }

  /** Whether the peer's SETTINGS are there. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** The stream of a field block that has begun and is not complete. */
  get openFieldBlock(): number | undefined {
    return this.#blocks.openStreamId;
  }

  /**
   * @returns how many bytes were read; what is left is for another turn of the event loop
   * @throws Http2ConnectionError, and what a handler throws; nothing may be read afterwards
   */
  read(bytes: Uint8Array, nowMs: number): number {
    this.#nowMs = nowMs;
    const rest = this.#preface ? this.#preface.read(bytes) : bytes;
    return rest.length === 0 ? bytes.length : bytes.length - rest.length + this.#reader.read(rest);
  }

  /** The rest of what was read is not looked at. */
  stop(): void {
    this.#isStopped = true;
    this.#reader.stop();
  }

  frame(header: FrameHeader, payload: Uint8Array): void {
    this.#pace.frame();
    this.#expect(header);
    try {
      this.#onFrame(header, payload);
    } catch (error) {
      this.#break(error);
    }
  }

  dataBegins(header: FrameHeader): void {
    this.#expect(header);
    const { streamId, length, flags } = header;
    if (streamId === 0) throw protocolError("DATA on stream 0");
    this.#streams.flow.take(length);
    this.#dataUnread = length;
    this.#dataEndsStream = (flags & FLAG.endStream) !== 0;
    this.#hasData = false;
    this.#dataStream = undefined;
    try {
      const stream = this.#table.taking(streamId, "receive-data");
      if (!stream) return;
      this.#streams.flow.takeOf(stream, length);
      if (!stream.inbound.hasHead) throw malformed(streamId, "DATA before the head");
      this.#dataStream = stream;
    } catch (error) {
      this.#break(error);
    }
  }

  data(bytes: Uint8Array): void {
    this.#hasData = true;
    this.#pace.data();
    const stream = this.#dataStream;
    if (!stream || isClosed(stream.state)) return;
    try {
      receiveContent(stream, bytes.length);
    } catch (error) {
      return this.#break(error);
    }
    this.#dataUnread -= bytes.length;
    this.#streams.flow.received(stream, bytes.length);
    stream.handler.data(bytes);
  }

  dataEnds(): void {
    this.#pace.frame();
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (!this.#hasData && !this.#dataEndsStream) this.#guard.spend("empty-data", this.#nowMs);
    if (!stream) return this.#streams.flow.discard(this.#dataUnread);
    // Padding; or what came after the stream was reset, which the reset has given back.
    if (this.#dataUnread > 0) this.#streams.consumed(stream, this.#dataUnread);
    if (!this.#dataEndsStream || !canReceive(stream.state)) return;
    try {
      this.#receiveEnd(stream, undefined);
    } catch (error) {
      this.#break(error);
    }
  }

  /** Rules about the order of frames (RFC 9113 sections 3.4 and 4.3). @throws Http2ConnectionError */
  #expect({ type, flags }: FrameHeader): void {
    if (!this.#isReady && (type !== FRAME_TYPE.settings || flags & FLAG.ack)) {
      throw protocolError("the first frame is not SETTINGS");
    }
    if (this.#blocks.openStreamId !== undefined && type !== FRAME_TYPE.continuation) {
      throw protocolError("another frame within a field block");
    }
  }

  #onFrame(header: FrameHeader, payload: Uint8Array): void {
    const { type, streamId, flags } = header;
    switch (type) {
      case FRAME_TYPE.headers:
        if (streamId === 0) throw protocolError("HEADERS on stream 0");
        return this.#onBlock(this.#blocks.begin(header, readHeadersFragment(payload, flags)));
      case FRAME_TYPE.continuation:
        return this.#onBlock(this.#blocks.continue(header, payload));
      case FRAME_TYPE.windowUpdate:
        return this.#onWindowUpdate(streamId, readWindowUpdate(payload));
      case FRAME_TYPE.rstStream:
        return this.#onReset(streamId, readRstStream(payload));
      case FRAME_TYPE.settings:
        if (streamId !== 0) throw protocolError("SETTINGS on a stream");
        return this.#onSettings(flags, payload);
      case FRAME_TYPE.ping:
        if (streamId !== 0) throw protocolError("PING on a stream");
        checkPing(payload);
        return this.#onPing(flags, payload);
      case FRAME_TYPE.goaway:
        if (streamId !== 0) throw protocolError("GOAWAY on a stream");
        return this.#onGoAway(readGoAway(payload));
      case FRAME_TYPE.priority:
        if (streamId === 0) throw protocolError("PRIORITY on stream 0");
        this.#guard.spend("priority", this.#nowMs);
        return checkPriority(payload, streamId);
      case FRAME_TYPE.pushPromise:
        throw protocolError("PUSH_PROMISE, which is not enabled");
      default:
        return this.#guard.spend("unknown-frame", this.#nowMs);
    }
  }

  /** A block is decoded in any case: the compression of later ones depends on it. */
  #onBlock(block: FieldBlock | undefined): void {
    if (!block) return;
    const { streamId, endStream } = block;
    const decoded = this.#decoder.decode(block.bytes, this.#limits.fields);
    this.#pace.block(decoded);
    const open = this.#table.get(streamId);
    const isNew = !open && this.#table.peerOpens(streamId);
    if (isNew && !this.#mayOpen(streamId)) return;
    const stream = isNew ? undefined : this.#table.taking(streamId, "receive-headers");
    if (!isNew && !stream) return;
    if (decoded.kind === "too-large") throw new Http2StreamError(streamId, ERROR_CODE.enhanceYourCalm, decoded.reason);
    const section = decoded.fields;
    if (!stream) return this.#onRequest(streamId, section, endStream);
    if (stream.inbound.hasHead) {
      receiveTrailers(stream, section, endStream);
      return this.#receiveEnd(stream, section);
    }
    const head = receiveResponse(stream, section, endStream);
    stream.handler.response?.(head, endStream);
    if (endStream && canReceive(stream.state)) this.#receiveEnd(stream, undefined);
  }

  #onRequest(streamId: number, section: readonly Field[], endStream: boolean): void {
    const head = readRequestHead(section, this.#limits.settings.enableConnectProtocol);
    if ("malformed" in head) throw malformed(streamId, head.malformed);
    const stream = this.#streams.make(streamId, head.method, "open");
    receiveRequest(stream, head, endStream);
    this.#table.add(stream);
    stream.handler = this.#handler.request(stream, head, endStream);
    if (endStream && canReceive(stream.state)) this.#receiveEnd(stream, undefined);
  }

  /** @throws Http2StreamError if the message is not complete */
  #receiveEnd(stream: StreamRecord, trailers: readonly Field[] | undefined): void {
    receiveEnd(stream);
    stream.state = transition(stream.state, "receive-end") as StreamState;
    stream.handler.end(trailers);
    this.#streams.settle(stream);
  }

  #mayOpen(streamId: number): boolean {
    const isAccepted = this.#goingAway.accepts(streamId);
    if (isAccepted && this.#table.size < this.#limits.settings.maxConcurrentStreams) return true;
    this.#guard.spend("refused-stream", this.#nowMs);
    if (isAccepted) appendRstStream(this.#output, streamId, ERROR_CODE.refusedStream);
    this.#table.refuse(streamId);
    return false;
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    this.#guard.spend("window-update", this.#nowMs);
    if (streamId === 0) {
      if (increment === 0) throw protocolError("WINDOW_UPDATE of 0");
      return this.#streams.sender.growConnection(increment);
    }
    const stream = this.#table.taking(streamId, "receive-window-update");
    if (!stream) return;
    if (increment === 0) throw new Http2StreamError(streamId, ERROR_CODE.protocolError, "WINDOW_UPDATE of 0");
    this.#streams.sender.growStream(stream, increment);
  }

  #onReset(streamId: number, code: ErrorCode): void {
    if (streamId === 0) throw protocolError("RST_STREAM on stream 0");
    this.#guard.spend("reset", this.#nowMs);
    const stream = this.#table.taking(streamId, "receive-reset");
    if (!stream) return;
    stream.isResetByPeer = true;
    // A server of Node.js that has read nothing of a request resets its stream when all of the answer is written (RFC 9113 section
    // 8.1), and forgets an END_STREAM that waits for a window. Without a content-length the answer may be cut, whatever the code.
    const isEnd = this.#role === "client" && code === ERROR_CODE.noError && hasWholeContent(stream);
    if (isEnd && canReceive(stream.state)) this.#receiveEnd(stream, undefined);
    this.#streams.gone(stream, "reset-by-peer", code, "reset by the peer");
  }

  #onSettings(flags: number, payload: Uint8Array): void {
    if (flags & FLAG.ack) return this.#onSettingsAck(payload);
    this.#guard.spend("settings", this.#nowMs);
    const frame = readSettings(payload, this.#limits.maxSettingsPerFrame);
    const peerRole = this.#role === "client" ? "server" : "client";
    const peer = withSettings(this.#streams.sender.peer, frame, !this.#isReady, peerRole);
    appendSettingsAck(this.#output);
    this.#streams.sender.configure(peer, tableSizesIn(frame), this.#table.all());
    if (this.#isReady || this.#isStopped) return;
    this.#isReady = true;
    this.#handler.ready();
  }

  #onSettingsAck(payload: Uint8Array): void {
    if (payload.length > 0) throw new Http2ConnectionError(ERROR_CODE.frameSizeError, "SETTINGS ACK with a payload");
    if (!this.#isSettingsAckDue) return this.#guard.spend("settings", this.#nowMs);
    this.#isSettingsAckDue = false;
    this.#decoder.settingsAcknowledged();
  }

  #onPing(flags: number, payload: Uint8Array): void {
    const answered = flags & FLAG.ack ? this.#pings.answered(payload) : undefined;
    switch (answered) {
      case "keep-alive":
        return this.#handler.pong();
      case "probe":
        return this.#streams.flow.measured();
      case "drain":
        return this.#goingAway.conclude(this.#output, this.#table.lastPeerId);
      case undefined:
        this.#guard.spend("ping", this.#nowMs);
        if ((flags & FLAG.ack) === 0) appendPing(this.#output, payload, true);
    }
  }

  #onGoAway(goAway: GoAway): void {
    this.#guard.spend("goaway", this.#nowMs);
    this.#goingAway.receive(goAway);
    for (const stream of this.#table.all()) {
      if (!this.#table.isOwn(stream.id) || stream.id <= goAway.lastStreamId) continue;
      this.#streams.gone(stream, "reset-by-peer", ERROR_CODE.refusedStream, "not looked at before the peer's GOAWAY");
    }
    this.#handler.goAway(goAway);
  }

  /**
   * The peer broke a rule of one stream: it is reset, and who uses it is told. Provoked resets have the allowance of resets.
   * @throws every other error
   */
  #break(error: unknown): void {
    if (!(error instanceof Http2StreamError)) throw error;
    const { streamId, code, message } = error;
    this.#guard.spend("reset", this.#nowMs);
    // There is no RST_STREAM for a stream that was never opened (RFC 9113 section 6.4).
    if (this.#table.stateOf(streamId) === "idle") throw new Http2ConnectionError(code, message);
    appendRstStream(this.#output, streamId, code);
    const stream = this.#table.get(streamId);
    if (stream) this.#streams.gone(stream, "reset-by-us", code, message);
    else this.#table.refuse(streamId);
  }
}

const protocolError = (message: string): Http2ConnectionError =>
  new Http2ConnectionError(ERROR_CODE.protocolError, message);
