import type { Output } from "../output.ts";
import { ERROR_CODE } from "./error-code.ts";
import { appendWindowUpdate } from "./frames/window-update.ts";
import { Http2ConnectionError, Http2StreamError } from "./http2-error.ts";
import { ReceiveWindow } from "./receive-window.ts";
import type { StreamRecord } from "./stream.ts";
import { canReceive } from "./stream-state.ts";
import { type WindowLimits, WindowProbe } from "./window-probe.ts";

/** What the peer may send, on both levels: every byte of DATA counts for its stream and for the connection (RFC 9113 section 5.2). */
export class ReceiveFlow {
  readonly #output: Output;
  readonly #window: ReceiveWindow;
  readonly #probe: WindowProbe;

  constructor(output: Output, connectionWindow: number, limits: WindowLimits) {
    this.#output = output;
    this.#window = new ReceiveWindow(connectionWindow);
    this.#probe = new WindowProbe(limits);
  }

  /** The payload of a DATA frame, padding included. @throws Http2ConnectionError if that is more than the peer may send */
  take(length: number): void {
    if (this.#window.take(length)) return;
    throw new Http2ConnectionError(ERROR_CODE.flowControlError, "more DATA than the connection's window");
  }

  /** The same payload, where there is a stream that takes it. @throws Http2StreamError */
  takeOf(stream: StreamRecord, length: number): void {
    if (!stream.receiveWindow.take(length)) {
      throw new Http2StreamError(stream.id, ERROR_CODE.flowControlError, "more DATA than the stream's window");
    }
    stream.unconsumed += length;
  }

  /** Data for a reader, of which the probe is told. */
  received(stream: StreamRecord, bytes: number): void {
    this.#probe.received(stream, bytes);
  }

  /** Bytes of a stream were consumed. @returns whether a round trip should be measured: {@link measured} when it is over */
  consumed(stream: StreamRecord, bytes: number): boolean {
    const given = Math.min(bytes, stream.unconsumed);
    stream.unconsumed -= given;
    this.discard(given);
    if (!canReceive(stream.state)) return false;
    const increment = stream.receiveWindow.give(given);
    if (increment === 0) return false;
    appendWindowUpdate(this.#output, stream.id, increment);
    return this.#probe.begin(stream);
  }

  /** Bytes that came for no reader, or for one that is gone: only the connection gets room again. */
  discard(bytes: number): void {
    const increment = this.#window.give(bytes);
    if (increment > 0) appendWindowUpdate(this.#output, 0, increment);
  }

  /** A round trip is over: a stream that filled its window meanwhile gets a larger one. */
  measured(): void {
    const grown = this.#probe.end(this.#window.size);
    if (!grown || !canReceive(grown.stream.state)) return;
    const increment = grown.stream.receiveWindow.grow(grown.streamWindow);
    if (increment > 0) appendWindowUpdate(this.#output, grown.stream.id, increment);
    const ofConnection = this.#window.grow(grown.connectionWindow);
    if (ofConnection > 0) appendWindowUpdate(this.#output, 0, ofConnection);
  }
}
