/** Room for about a hundred field blocks of a connection that is warm; one allocation for all of them. */
const SLAB_BYTES = 16 * 1024;

/** Where field blocks are written, one after the other. What {@link end} returned is never written to again. */
export class BlockWriter {
  #slab = new Uint8Array(SLAB_BYTES);
  #from = 0;
  /** Offset of the next byte in {@link slab}; whoever writes moves it on. */
  at = 0;

  /** Another one after a call of {@link reserve} or {@link begin}. */
  get slab(): Uint8Array {
    return this.#slab;
  }

  /** Starts a block. One that was not ended is forgotten. */
  begin(): void {
    this.at = this.#from;
  }

  /** Makes room for `bytes` bytes from {@link at} on. */
  reserve(bytes: number): void {
    if (this.at + bytes <= this.#slab.length) return;
    const begun = this.#slab.subarray(this.#from, this.at);
    this.#slab = new Uint8Array(Math.max(SLAB_BYTES, 2 * (begun.length + bytes)));
    this.#slab.set(begun);
    this.#from = 0;
    this.at = begun.length;
  }

  end(): Uint8Array {
    const block = this.#slab.subarray(this.#from, this.at);
    this.#from = this.at;
    return block;
  }
}
