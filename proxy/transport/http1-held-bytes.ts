/** Bytes that came before they may be read, in their order. */
export class HeldBytes {
  #chunks: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** @param bytes are copied */
  add(bytes: Uint8Array): void {
    this.#chunks.push(Buffer.from(bytes));
    this.#length += bytes.length;
  }

  /** All of them; then there are none. */
  take(): Uint8Array {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#length = 0;
    const [first] = chunks;
    return first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks);
  }
}
