import { Output } from "../output.ts";

/** What of a stream waits to be sent. Small pieces are copied together, so that what is held is bytes and not objects. */
export class SendQueue {
  readonly #added = new Output();
  /** What was added before all of that, the last part first. */
  #parts: Uint8Array[] = [];
  #length = 0;

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** @param bytes must not change afterwards */
  add(bytes: Uint8Array): void {
    this.#added.append(bytes);
    this.#length += bytes.length;
  }

  /** The first bytes, at most so many; at least one where there is one. */
  take(most: number): Uint8Array {
    if (this.#parts.length === 0) this.#parts = this.#added.take().toReversed();
    const part = this.#parts.pop() ?? EMPTY;
    const isWhole = part.length <= most;
    if (!isWhole) this.#parts.push(part.subarray(most));
    const taken = isWhole ? part : part.subarray(0, most);
    this.#length -= taken.length;
    return taken;
  }
}

const EMPTY = new Uint8Array(0);
