import { ClosedStreams } from "./closed-streams.ts";
import { ERROR_CODE } from "./error-code.ts";
import { Http2ConnectionError, Http2StreamError } from "./http2-error.ts";
import { MAX_WINDOW } from "./settings.ts";
import type { StreamRecord } from "./stream.ts";
import { type StreamEvent, type StreamState, transition } from "./stream-state.ts";
import { StreamsById } from "./streams-by-id.ts";

/** The streams of a connection, and what the number of one that is not there means (RFC 9113 section 5.1.1). */
export class StreamTable {
  readonly #role: "client" | "server";
  readonly #streams = new StreamsById();
  readonly #closed = new ClosedStreams();
  /** Of streams that we open; the next one is two more. */
  #lastOwnId: number;
  /** Of streams that the peer opened. */
  #lastPeerId = 0;

  constructor(role: "client" | "server") {
    this.#role = role;
    this.#lastOwnId = role === "client" ? -1 : 0;
  }

  /** Streams that are not closed. */
  get size(): number {
    return this.#streams.size;
  }

  get lastPeerId(): number {
    return this.#lastPeerId;
  }

  /** Of the next stream that we open; undefined when there are no numbers left, and at a server, which opens none. */
  get nextOwnId(): number | undefined {
    return this.#role === "client" && this.#lastOwnId <= MAX_WINDOW - 2 ? this.#lastOwnId + 2 : undefined;
  }

  get(streamId: number): StreamRecord | undefined {
    return this.#streams.get(streamId);
  }

  /** As they are now, for loops that close some. */
  all(): readonly StreamRecord[] {
    return this.#streams.all();
  }

  add(stream: StreamRecord): void {
    this.#streams.add(stream);
    if (this.isOwn(stream.id)) this.#lastOwnId = stream.id;
  }

  /** @returns whether it was there */
  remove(stream: StreamRecord, state: StreamState): boolean {
    if (!this.#streams.delete(stream)) return false;
    stream.state = state;
    this.#closed.add(stream.id, state);
    return true;
  }

  /** We do not take a stream, or nothing more of one that is closed. */
  refuse(streamId: number): void {
    this.#closed.add(streamId, "reset-by-us");
  }

  /** Whether a stream is of those that we open. */
  isOwn(streamId: number): boolean {
    return (streamId % 2 === 1) === (this.#role === "client");
  }

  /** Whether HEADERS open a stream of the peer's. @throws Http2ConnectionError for a number that it may not use */
  peerOpens(streamId: number): boolean {
    if (this.#role === "server" && !this.isOwn(streamId)) {
      if (streamId <= this.#lastPeerId) return false;
      this.#lastPeerId = streamId;
      return true;
    }
    if (this.isOwn(streamId) && streamId <= this.#lastOwnId) return false;
    const peer = this.#role === "client" ? "server" : "client";
    throw new Http2ConnectionError(
      ERROR_CODE.protocolError,
      `HEADERS on stream ${streamId}, which a ${peer} cannot open`,
    );
  }

  /**
   * The stream that takes what the peer sent.
   * @returns undefined where it is ignored
   * @throws Http2ConnectionError, Http2StreamError where it is a fault
   */
  taking(streamId: number, event: StreamEvent): StreamRecord | undefined {
    const stream = this.#streams.get(streamId);
    const next = transition(stream?.state ?? this.stateOf(streamId), event);
    if (next === "ignored") return undefined;
    if (next === "stream-closed")
      throw new Http2StreamError(streamId, ERROR_CODE.streamClosed, `${event} after the end`);
    if (next === "connection-stream-closed") {
      throw new Http2ConnectionError(ERROR_CODE.streamClosed, `${event} on stream ${streamId} after its end`);
    }
    if (next === "connection-protocol-error") {
      throw new Http2ConnectionError(ERROR_CODE.protocolError, `${event} on stream ${streamId}, which is not open`);
    }
    if (next === "misuse") throw new Error(`stream ${streamId}: ${event}`);
    return stream;
  }

  stateOf(streamId: number): StreamState {
    const stream = this.#streams.get(streamId);
    if (stream) return stream.state;
    const last = this.isOwn(streamId) ? this.#lastOwnId : this.#lastPeerId;
    return streamId > last ? "idle" : this.#closed.stateOf(streamId);
  }
}
