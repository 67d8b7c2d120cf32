/** Room for what a connection says first; each slab after it has twice as much, so that a quiet connection costs little. */
const FIRST_SLAB_BYTES = 1024;
/** Room for about a hundred small messages; one allocation for all of them. */
const SLAB_BYTES = 16 * 1024;
/** Room for what a busy stream sends in one turn, with the heads of its frames. */
const LARGE_SLAB_BYTES = 129 * 1024;
/** Large slabs that wait to be used again, by all connections of the thread: more are seldom in use at once. */
const MAX_SPARE_SLABS = 8;

const EMPTY = new Uint8Array(0);
const spareSlabs: Uint8Array[] = [];

/**
 * Bytes that wait to be sent. They are copied together, so that everything that came in one turn of the event loop leaves in one
 * write, and so that nobody has to keep what was given. To allocate memory for bulk data, and to collect it, costs more than
 * copying: large slabs are used again, once {@link written} says that nobody reads them any more.
 */
export class Output {
  #parts: Uint8Array[] = [];
  #slab: Uint8Array = EMPTY;
  /** Where the gathered bytes begin that are in no part yet. */
  #from = 0;
  #to = 0;
  #length = 0;
  /** Large slabs that have been filled since the last {@link take}. */
  #filled: Uint8Array[] = [];
  /** For each {@link take} that was not followed by its {@link written}: the slabs that were filled before it. */
  #taken: (readonly Uint8Array[])[] = [];

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /**
   * Room for the next `bytes` bytes, at {@link slab} from the offset that is returned.
   * @param bytes at most 16 KiB
   */
  reserve(bytes: number): number {
    if (this.#to + bytes > this.#slab.length) this.#renew(bytes);
    const at = this.#to;
    this.#to += bytes;
    this.#length += bytes;
    return at;
  }

  /** Where {@link reserve} has room; another one after the next call of it. */
  get slab(): Uint8Array {
    return this.#slab;
  }

  /** @param bytes are copied */
  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const missing = Math.min(bytes.length - at, LARGE_SLAB_BYTES);
      if (this.#to + missing > this.#slab.length) this.#renew(missing);
      this.#slab.set(missing === bytes.length ? bytes : bytes.subarray(at, at + missing), this.#to);
      this.#to += missing;
      this.#length += missing;
      at += missing;
    }
  }

  /** Everything that waits, in order. It is not written to again before {@link written}. */
  take(): readonly Uint8Array[] {
    this.#seal();
    const parts = this.#parts;
    if (parts.length === 0) return parts;
    this.#parts = [];
    this.#length = 0;
    this.#taken.push(this.#filled);
    this.#filled = [];
    return parts;
  }

  /** Nobody reads any more what the oldest {@link take} gave that had not been written. */
  written(): void {
    for (const slab of this.#taken.shift() ?? []) spare(slab);
    if (this.#slab.length < LARGE_SLAB_BYTES || this.#length > 0 || this.#taken.length > 0) return;
    spare(this.#slab);
    this.trim();
  }

  /** Forgets the room that is kept for what comes next: for connections that are idle. */
  trim(): void {
    if (this.#from !== this.#to) return;
    this.#slab = EMPTY;
    this.#from = this.#to = 0;
  }

  /** Another slab, with room for so many bytes. */
  #renew(bytes: number): void {
    this.#seal();
    const { length } = this.#slab;
    if (length === LARGE_SLAB_BYTES) this.#filled.push(this.#slab);
    const isLarge = length >= SLAB_BYTES || bytes > SLAB_BYTES;
    this.#slab = isLarge
      ? (spareSlabs.pop() ?? new Uint8Array(LARGE_SLAB_BYTES))
      : // Small ones are parts of larger ones of Node's: memory of its own costs as much as everything else about a small message.
        Buffer.allocUnsafe(Math.min(Math.max(2 * length, FIRST_SLAB_BYTES, bytes), SLAB_BYTES));
    this.#from = this.#to = 0;
  }

  #seal(): void {
    if (this.#from === this.#to) return;
    this.#parts.push(this.#slab.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}

const spare = (slab: Uint8Array): void => {
  if (spareSlabs.length < MAX_SPARE_SLABS) spareSlabs.push(slab);
};
