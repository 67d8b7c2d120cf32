import { LineScanner, type SectionLimits } from "./line-scanner.ts";

/** The bytes of a complete head or trailer section and its lines. Good until the reader begins another. */
export interface Section {
  /** With the empty line. A view on the chunk it came in, or a copy if it came in several. */
  readonly raw: Uint8Array;
  /** `raw` as latin1. */
  readonly text: string;
  /** Offset of the CR of each line in `raw`; only the first `lineCount` count. The empty line is not among them. */
  readonly lineEnds: readonly number[];
  readonly lineCount: number;
}

/** Gathers a section out of chunks. One that comes in a single chunk is not copied; no other costs more than two copies. */
export class SectionReader {
  readonly #scanner: LineScanner;
  #kept: Buffer = EMPTY;
  #keptBytes = 0;
  #section: Section | undefined;

  constructor(limits: SectionLimits) {
    this.#scanner = new LineScanner(limits);
  }

  /** @returns the index after the section's last byte, or -1 when all bytes were taken and it goes on. */
  read(bytes: Uint8Array, from: number): number {
    const end = this.#scanner.scan(bytes, from);
    if (end < 0) {
      this.#keep(bytes, from, bytes.length);
      return -1;
    }
    if (this.#keptBytes > 0) {
      this.#keep(bytes, from, end);
      this.#section = this.#sectionOf(this.#kept, 0, this.#keptBytes);
    } else this.#section = this.#sectionOf(asBuffer(bytes), from, end);
    return end;
  }

  /** The section that has just ended; the next read begins another. */
  take(): Section {
    const section = this.#section;
    if (section === undefined) throw new Error("no section has ended");
    this.#section = undefined;
    this.#kept = EMPTY;
    this.#keptBytes = 0;
    this.#scanner.reset();
    return section;
  }

  #sectionOf(bytes: Buffer, from: number, end: number): Section {
    const { lineEnds, lineCount } = this.#scanner;
    return { raw: bytes.subarray(from, end), text: bytes.toString("latin1", from, end), lineEnds, lineCount };
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

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
