import type { Field } from "../../field.ts";
import { BlockWriter } from "./block-writer.ts";
import { DEFAULT_TABLE_BYTES, fieldBytes } from "./dynamic-table.ts";
import { EncoderTable } from "./encoder-table.ts";
import { type Indexing, indexingOf } from "./indexing-policy.ts";
import { MAX_INTEGER_BYTES, writeInteger } from "./integer.ts";
import { writeString } from "./string-literal.ts";

// The patterns of representations; their table stands in hpack-decoder.ts.
const INDEXED = 0x80;
const INCREMENTAL = 0x40;
const SIZE_UPDATE = 0x20;
const NEVER_INDEXED = 0x10;
const WITHOUT_INDEXING = 0x00;

/** Encoding never waits in between, so that all encoders write one after the other into the same memory. */
const WRITER = new BlockWriter();

/** Encodes the field blocks of one direction of one connection, which must be sent in the order in which they were made. */
export class HpackEncoder {
  readonly #maxTableBytes: number;
  readonly #indexingOf: (name: string, value: string) => Indexing;
  readonly #table: EncoderTable;
  /** The smallest size of the table since the last block; undefined where it did not change. */
  #smallest: number | undefined;

  /** @param maxTableBytes how much we are willing to use; the peer's SETTINGS_HEADER_TABLE_SIZE may be less */
  constructor(maxTableBytes: number, indexing: (name: string, value: string) => Indexing = indexingOf) {
    this.#maxTableBytes = maxTableBytes;
    this.#indexingOf = indexing;
    this.#table = new EncoderTable(DEFAULT_TABLE_BYTES);
    this.setMaxTableBytes(DEFAULT_TABLE_BYTES);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. A table that changes with it is announced at the beginning of the next block. */
  setMaxTableBytes(bytes: number): void {
    const size = Math.min(bytes, this.#maxTableBytes);
    if (size === this.#table.maxBytes) return;
    this.#resize(size);
  }

  /**
   * Encodes one field block. Fields that came never indexed are sent so, others as {@link indexingOf} says.
   * @returns memory that nobody writes to any more
   * @throws RangeError where a name or value is not latin1; the encoder stays in step with the peer, to whom nothing is sent
   */
  encode(fields: readonly Field[]): Uint8Array {
    WRITER.begin();
    try {
      this.#writeSizeUpdates();
      for (let at = 0; at < fields.length; at++) this.#writeField(fields[at] as Field);
    } catch (error) {
      this.#startAnew();
      throw error;
    }
    return WRITER.end();
  }

  /** RFC 7541 section 4.2. */
  #writeSizeUpdates(): void {
    if (this.#smallest === undefined) return;
    const { maxBytes } = this.#table;
    WRITER.reserve(2 * MAX_INTEGER_BYTES);
    if (this.#smallest < maxBytes) writeInteger(WRITER, SIZE_UPDATE, 5, this.#smallest);
    writeInteger(WRITER, SIZE_UPDATE, 5, maxBytes);
    this.#smallest = undefined;
  }

  #writeField(field: Field): void {
    const { name, value } = field;
    if (field.isNeverIndexed) return this.#writeLiteral(NEVER_INDEXED, 4, name, value);
    const index = this.#table.indexOf(name, value);
    if (index !== 0) {
      WRITER.reserve(MAX_INTEGER_BYTES);
      return writeInteger(WRITER, INDEXED, 7, index);
    }
    const indexing = this.#indexingOf(name, value);
    if (indexing === "never-indexed") return this.#writeLiteral(NEVER_INDEXED, 4, name, value);
    // A field that would drive most others out is not worth its place.
    if (indexing === "not-indexed" || 2 * fieldBytes(field) > this.#table.maxBytes) {
      return this.#writeLiteral(WITHOUT_INDEXING, 4, name, value);
    }
    this.#writeLiteral(INCREMENTAL, 6, name, value);
    this.#table.insert(field);
  }

  #writeLiteral(pattern: number, prefixBits: number, name: string, value: string): void {
    const nameIndex = this.#table.indexOfName(name);
    WRITER.reserve(MAX_INTEGER_BYTES);
    writeInteger(WRITER, pattern, prefixBits, nameIndex);
    if (nameIndex === 0) writeString(WRITER, name);
    writeString(WRITER, value);
  }

  #resize(bytes: number): void {
    this.#smallest = Math.min(this.#smallest ?? bytes, bytes);
    this.#table.resize(bytes);
  }

  /** Empties the tables of both ends: ours may hold fields of a block that was not sent. */
  #startAnew(): void {
    const { maxBytes } = this.#table;
    this.#resize(0);
    this.#resize(maxBytes);
  }
}
