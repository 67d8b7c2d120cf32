import { MAX_WINDOW } from "./settings.ts";

/**
 * What the peer may still send, to a stream or to the connection (RFC 9113 section 6.9). Room is given back when the bytes
 * were consumed and not when they came, so that a reader that does not read stops the sender; and in portions of half a
 * window, so that a byte more does not cost a frame.
 */
export class ReceiveWindow {
  /** What it is when all has been consumed. */
  #size: number;
  #available: number;
  /** Consumed and not given back yet. */
  #consumed = 0;

  constructor(size: number) {
    this.#size = size;
    this.#available = size;
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes came. @returns whether the peer was allowed to send them */
  take(bytes: number): boolean {
    this.#available -= bytes;
    return this.#available >= 0;
  }

  /** Bytes were consumed. @returns the increment to send, or 0 where it can wait */
  give(bytes: number): number {
    this.#consumed += bytes;
    if (this.#consumed < this.#size / 2) return 0;
    const increment = this.#consumed;
    this.#consumed = 0;
    this.#available += increment;
    return increment;
  }

  /** Makes it larger. @returns the increment to send */
  grow(size: number): number {
    const increment = Math.min(size, MAX_WINDOW) - this.#size;
    if (increment <= 0) return 0;
    this.#size += increment;
    this.#available += increment;
    return increment;
  }
}
