import type { StreamRecord } from "./stream.ts";

export interface WindowLimits {
  readonly maxStreamWindow: number;
  readonly maxConnectionWindow: number;
}

/** What a stream and the connection should have. */
export interface GrownWindows {
  readonly stream: StreamRecord;
  readonly streamWindow: number;
  readonly connectionWindow: number;
}

/** The connection's window is so many times a stream's, so that one slow reader does not stop the others. */
const CONNECTION_FACTOR = 4;

/**
 * Finds out whether a window is too small for the way: a PING measures one round trip, and a stream that received more than
 * half of its window meanwhile was held back by it. Only streams whose reader keeps up are measured, so that a window never
 * grows for one that does not read.
 */
export class WindowProbe {
  readonly #limits: WindowLimits;
  #stream: StreamRecord | undefined;
  #bytes = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** @returns whether a PING is to be sent for this stream now */
  begin(stream: StreamRecord): boolean {
    if (this.#stream || stream.receiveWindow.size >= this.#limits.maxStreamWindow) return false;
    this.#stream = stream;
    this.#bytes = 0;
    return true;
  }

  received(stream: StreamRecord, bytes: number): void {
    if (this.#stream === stream) this.#bytes += bytes;
  }

  /** The round trip is over. @returns what should grow, if anything */
  end(connectionWindow: number): GrownWindows | undefined {
    const stream = this.#stream;
    this.#stream = undefined;
    if (!stream || this.#bytes <= stream.receiveWindow.size / 2) return undefined;
    const streamWindow = Math.min(stream.receiveWindow.size * 2, this.#limits.maxStreamWindow);
    const wanted = Math.min(streamWindow * CONNECTION_FACTOR, this.#limits.maxConnectionWindow);
    return { stream, streamWindow, connectionWindow: Math.max(connectionWindow, wanted) };
  }
}
