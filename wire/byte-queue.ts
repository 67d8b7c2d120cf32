/** Pieces up to this length are copied together; longer ones have memory of their own. */
const JOINED_BYTES = 1024;
/** Room for the first small pieces; each slab after it has twice as much. */
const FIRST_SLAB_BYTES = 1024;
const SLAB_BYTES = 16 * 1024;

const EMPTY = new Uint8Array(0);

/** Bytes that may wait for long. What is held is about as many bytes, however small the pieces were that they came in. */
export class ByteQueue {
  /** In order, from {@link #first} on. */
  #parts: Uint8Array[] = [];
  #first = 0;
  #slab: Uint8Array = EMPTY;
  /** Where the bytes of the slab begin that are in no part yet. */
  #from = 0;
  #to = 0;
  #length = 0;

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** @param bytes are copied */
  add(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (bytes.length > JOINED_BYTES) {
      this.#seal();
      this.#parts.push(new Uint8Array(bytes));
      return;
    }
    if (this.#to + bytes.length > this.#slab.length) {
      this.#seal();
      this.#slab = new Uint8Array(Math.min(Math.max(2 * this.#slab.length, FIRST_SLAB_BYTES), SLAB_BYTES));
      this.#from = this.#to = 0;
    }
    this.#slab.set(bytes, this.#to);
    this.#to += bytes.length;
  }

  /** The first bytes, at most so many; at least one where there is one. They are not written to again. */
  take(most: number): Uint8Array {
    if (this.#first === this.#parts.length) {
      this.#parts = [];
      this.#first = 0;
      this.#seal();
    }
    const part = this.#parts[this.#first];
    if (!part) return EMPTY;
    const taken = part.length <= most ? part : part.subarray(0, most);
    if (taken === part) this.#parts[this.#first++] = EMPTY;
    else this.#parts[this.#first] = part.subarray(most);
    this.#length -= taken.length;
    if (this.#length === 0) this.#slab = EMPTY;
    return taken;
  }

  #seal(): void {
    if (this.#from === this.#to) return;
    this.#parts.push(this.#slab.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}
