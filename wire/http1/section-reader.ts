import { LineScanner, type SectionLimits } from "./line-scanner.ts";

/** The bytes of a complete head or trailer section and its lines. */
export class Section {
  /** With the empty line; a copy, which nobody writes to. */
  readonly raw: Buffer;
  /**
   * Offset of the CR of each line in {@link raw}; only the first {@link lineCount} count. The empty line is not among them. Good
   * until the reader begins another section.
   */
  readonly lineEnds: readonly number[];
  readonly lineCount: number;
  #text: string | undefined;

  constructor(raw: Buffer, lineEnds: readonly number[], lineCount: number) {
    this.raw = raw;
    this.lineEnds = lineEnds;
    this.lineCount = lineCount;
  }

  /** {@link raw} as latin1, made when it is asked for first: many responses go on without it. */
  get text(): string {
    return (this.#text ??= this.raw.toString("latin1"));
  }
}

/** Gathers a section out of chunks. One that comes in a single chunk is copied once, others no more than three times. */
export class SectionReader {
  readonly #scanner: LineScanner;
  #kept: Buffer = EMPTY;
  #keptBytes = 0;

  constructor(limits: SectionLimits) {
    this.#scanner = new LineScanner(limits);
  }

  /** @returns the index after the section's last byte: {@link take} it; or -1 when all bytes were taken and it goes on. */
  read(bytes: Uint8Array, from: number): number {
    const end = this.#scanner.scan(bytes, from);
    if (end < 0) this.#keep(bytes, from, bytes.length);
    return end;
  }

  /** The section that ends with these bytes of the chunk that was read last; the next read begins another. */
  take(bytes: Uint8Array, from: number, end: number): Section {
    const { lineEnds, lineCount } = this.#scanner;
    this.#scanner.reset();
    if (this.#keptBytes === 0) return new Section(copyOf(bytes, from, end), lineEnds, lineCount);
    this.#keep(bytes, from, end);
    const raw = this.#kept.subarray(0, this.#keptBytes);
    this.#kept = EMPTY;
    this.#keptBytes = 0;
    return new Section(raw, lineEnds, lineCount);
  }

  #keep(bytes: Uint8Array, from: number, end: number): void {
    const needed = this.#keptBytes + end - from;
    if (needed > this.#kept.length) {
      // Doubled, so that a section which comes byte by byte is not copied for each of them.
      const larger = Buffer.allocUnsafeSlow(Math.max(SMALLEST, needed, this.#kept.length * 2));
      larger.set(this.#kept.subarray(0, this.#keptBytes));
      this.#kept = larger;
    }
    this.#kept.set(bytes.subarray(from, end), this.#keptBytes);
    this.#keptBytes = needed;
  }
}

const EMPTY = Buffer.alloc(0);
const SMALLEST = 512;

const copyOf = (bytes: Uint8Array, from: number, end: number): Buffer => {
  const copy = Buffer.allocUnsafe(end - from);
  copy.set(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end));
  return copy;
};
