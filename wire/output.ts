/** Bytes up to this length are copied together; longer ones travel as they are. Copying 1 KiB costs less than one more write. */
const COPIED_BYTES = 1024;
/** Room for what a connection says first; each slab after it has twice as much, so that a quiet connection costs little. */
const FIRST_SLAB_BYTES = 1024;
/** Room for about a hundred small messages; one allocation for all of them. */
const SLAB_BYTES = 16 * 1024;

/**
 * Bytes that wait to be sent. Small pieces are gathered, so that everything that came together in one turn of the event loop
 * leaves in one write. What was taken is never written to again.
 */
export class Output {
  #parts: Uint8Array[] = [];
  #slab: Uint8Array = EMPTY;
  /** Where the gathered bytes begin that are in no part yet. */
  #from = 0;
  #to = 0;
  #length = 0;

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /**
   * Room for the next `bytes` bytes, at {@link slab} from the offset that is returned.
   * @param bytes at most 16 KiB
   */
  reserve(bytes: number): number {
    if (this.#to + bytes > this.#slab.length) {
      this.#seal();
      const size = Math.min(Math.max(2 * this.#slab.length, FIRST_SLAB_BYTES), SLAB_BYTES);
      this.#slab = new Uint8Array(Math.max(size, bytes));
      this.#from = this.#to = 0;
    }
    const at = this.#to;
    this.#to += bytes;
    this.#length += bytes;
    return at;
  }

  /** Where {@link reserve} has room; another one after the next call of it. */
  get slab(): Uint8Array {
    return this.#slab;
  }

  /** @param bytes must not change afterwards */
  append(bytes: Uint8Array): void {
    if (bytes.length <= COPIED_BYTES) {
      const at = this.reserve(bytes.length);
      this.#slab.set(bytes, at);
      return;
    }
    this.#seal();
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }

  /** Everything that waits, in order. */
  take(): readonly Uint8Array[] {
    this.#seal();
    const parts = this.#parts;
    this.#parts = [];
    this.#length = 0;
    return parts;
  }

  /** Forgets the room that is kept for what comes next: for connections that are idle. */
  trim(): void {
    if (this.#from !== this.#to) return;
    this.#slab = EMPTY;
    this.#from = this.#to = 0;
  }

  #seal(): void {
    if (this.#from === this.#to) return;
    this.#parts.push(this.#slab.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}

const EMPTY = new Uint8Array(0);
