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

  /** The first of them, as far as they came together; they are not held any more. */
  take(): Uint8Array | undefined {
    const first = this.#chunks.shift();
    this.#length -= first?.length ?? 0;
    return first;
  }

  /** Holds the end of what was taken last, before all others. @param rest is kept as it is */
  putBack(rest: Uint8Array): void {
    this.#chunks.unshift(rest);
    this.#length += rest.length;
  }

  clear(): void {
    this.#chunks = [];
    this.#length = 0;
  }
}
