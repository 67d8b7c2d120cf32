import type { Field } from "../field.ts";
import type { Output } from "../output.ts";
import { ERROR_CODE, type ErrorCode } from "./error-code.ts";
import type { FloodGuard } from "./flood-guard.ts";
import { appendRstStream } from "./frames/rst-stream.ts";
import { HpackEncoder } from "./hpack/hpack-encoder.ts";
import type { Http2Limits } from "./limits.ts";
import type { Pings } from "./pings.ts";
import { ReceiveFlow } from "./receive-flow.ts";
import { Sender } from "./sender.ts";
import { NOBODY, type StreamOwner, StreamRecord } from "./stream.ts";
import { isClosed, type StreamState } from "./stream-state.ts";
import { StreamTable } from "./stream-table.ts";

/** What the streams of a connection share. */
export interface SharedByStreams {
  readonly role: "client" | "server";
  readonly limits: Http2Limits;
  readonly output: Output;
  readonly guard: FloodGuard;
  readonly pings: Pings;
  /** There may be something to send. */
  readonly wake: () => void;
  readonly streamClosed: (stream: StreamRecord) => void;
}

/** The streams of a connection: how each begins, what it may ask for, and how it ends. */
export class LiveStreams implements StreamOwner {
  readonly table: StreamTable;
  readonly sender: Sender;
  readonly flow: ReceiveFlow;
  readonly #shared: SharedByStreams;
  #isOver = false;

  constructor(shared: SharedByStreams) {
    const { role, limits, output, guard } = shared;
    this.#shared = shared;
    this.table = new StreamTable(role);
    const encoder = new HpackEncoder(limits.encoderTableBytes);
    this.sender = new Sender(output, encoder, guard, (stream) => this.settle(stream));
    this.flow = new ReceiveFlow(output, limits.connectionWindow, limits);
  }

  /** A stream, which is not in the table yet. */
  make(id: number, method: string | undefined, state: StreamState): StreamRecord {
    const { initialWindowSize } = this.#shared.limits.settings;
    return new StreamRecord(id, method, this.sender.peer.initialWindowSize, initialWindowSize, this, state);
  }

  sendHead(stream: StreamRecord, section: readonly Field[], endStream: boolean): void {
    this.sender.sendHead(stream, section, endStream);
    this.#shared.wake();
  }

  write(stream: StreamRecord, bytes: Uint8Array): boolean {
    const isWelcome = this.sender.write(stream, bytes);
    this.#shared.wake();
    return isWelcome;
  }

  end(stream: StreamRecord, trailers: readonly Field[] | undefined): void {
    this.sender.end(stream, trailers);
    this.#shared.wake();
  }

  reset(stream: StreamRecord, code: ErrorCode): void {
    if (isClosed(stream.state)) return this.consumed(stream, stream.unconsumed);
    if (!stream.isResetByPeer) appendRstStream(this.#shared.output, stream.id, code);
    this.#remove(stream, "reset-by-us");
    this.#shared.wake();
  }

  consumed(stream: StreamRecord, bytes: number): void {
    if (this.#isOver) return;
    if (this.flow.consumed(stream, bytes)) this.#shared.pings.send(this.#shared.output, "probe");
    this.#shared.wake();
  }

  /** A stream is gone before its time. */
  gone(stream: StreamRecord, state: StreamState, code: ErrorCode, reason: string): void {
    if (isClosed(stream.state)) return;
    this.#remove(stream, state);
    // A handler that ends the connection while it takes a request is told when it has said who is to be told.
    if (stream.handler === NOBODY) queueMicrotask(() => stream.handler.reset(code, reason));
    else stream.handler.reset(code, reason);
  }

  /** Both sides of a stream may be done. */
  settle(stream: StreamRecord): void {
    if (stream.state !== "ended" || !this.table.get(stream.id)) return;
    this.#remove(stream, "ended");
    stream.handler.closed?.();
  }

  /**
   * The connection is over: so is every stream, and nothing more is to be sent. None of them ends as if the peer had said so,
   * which is what NO_ERROR would mean.
   */
  abandon(ofConnection: ErrorCode, reason: string): void {
    this.#isOver = true;
    const code = ofConnection === ERROR_CODE.noError ? ERROR_CODE.cancel : ofConnection;
    for (const stream of this.table.all()) this.gone(stream, "reset-by-us", code, reason);
  }

  #remove(stream: StreamRecord, state: StreamState): void {
    if (!this.table.remove(stream, state)) return;
    this.sender.drop(stream);
    // What an ended stream's reader still holds counts until it is consumed; of one that was reset nobody will say.
    if (state !== "ended") this.consumed(stream, stream.unconsumed);
    this.#shared.streamClosed(stream);
  }
}
