import type { Field } from "../../field.ts";
import { type BlockCursor, blockCursor } from "./block-cursor.ts";
import { compressionError } from "./compression-error.ts";
import { DEFAULT_TABLE_BYTES, DynamicTable, fieldBytes } from "./dynamic-table.ts";
import { readInteger } from "./integer.ts";
import { STATIC_FIELDS, STATIC_TABLE_LENGTH } from "./static-table.ts";
import { readString } from "./string-literal.ts";

/** How much of a field section is accepted. What is beyond is decoded, but not kept. */
export interface FieldSectionLimits {
  /** Sum of name, value and 32 for each field (RFC 9113 section 6.5.2, SETTINGS_MAX_HEADER_LIST_SIZE). */
  readonly maxBytes: number;
  readonly maxFields: number;
  /** Longest single field, name and value. */
  readonly maxFieldBytes: number;
}

/** The fields in the order in which they came, or which limit they are beyond. The fields of the tables are shared. */
export type FieldSection =
  | { readonly kind: "fields"; readonly fields: readonly Field[] }
  | { readonly kind: "too-large"; readonly reason: string };

// The first byte of a representation says which one it is (RFC 7541 section 6); from the highest pattern to the lowest:
//
//   1xxxxxxx indexed field                      index 7+
//   01xxxxxx literal with incremental indexing  index of the name 6+, or 0 and the name; value
//   001xxxxx dynamic table size update          size 5+
//   0001xxxx literal never indexed              index of the name 4+, or 0 and the name; value
//   0000xxxx literal without indexing           the same
const INDEXED = 0x80;
const INCREMENTAL = 0x40;
const SIZE_UPDATE = 0x20;
const NEVER_INDEXED = 0x10;

/** The smallest size since the last block, and the last one (section 4.2). */
const MAX_SIZE_UPDATES = 2;

/** Decodes the field blocks of one direction of one connection. After an error it is of no use any more. */
export class HpackDecoder {
  readonly #maxTableBytes: number;
  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES);
  /** What a size update may ask for. */
  #limit: number;
  /** The peer has agreed to a table smaller than it is now, and must begin its next block with that (section 4.2). */
  #awaitsSizeUpdate = false;

  /** @param maxTableBytes our SETTINGS_HEADER_TABLE_SIZE */
  constructor(maxTableBytes: number) {
    this.#maxTableBytes = maxTableBytes;
    this.#limit = Math.max(maxTableBytes, DEFAULT_TABLE_BYTES);
  }

  /** The peer acknowledged our SETTINGS: from now on a table smaller than 4096 bytes binds it, not before. */
  settingsAcknowledged(): void {
    this.#limit = this.#maxTableBytes;
    this.#awaitsSizeUpdate = this.#table.maxBytes > this.#limit;
  }

  /**
   * Decodes one whole field block. The dynamic table is kept in step also where the section is too large; then no fields are
   * kept, and work and memory are bounded by the length of the block.
   * @param block not kept
   * @throws Http2ConnectionError COMPRESSION_ERROR
   */
  decode(block: Uint8Array, limits: FieldSectionLimits): FieldSection {
    const cursor = blockCursor(block);
    this.#readSizeUpdates(cursor);
    const fields: Field[] = [];
    let bytes = 0;
    let excess: string | undefined;
    while (cursor.at < block.length) {
      const field = this.#readField(cursor);
      if (excess !== undefined) continue;
      bytes += fieldBytes(field);
      excess = excessOf(limits, fields.length + 1, bytes, field);
      if (excess === undefined) fields.push(field);
      else fields.length = 0;
    }
    return excess === undefined ? { kind: "fields", fields } : { kind: "too-large", reason: excess };
  }

  #readSizeUpdates(cursor: BlockCursor): void {
    const { block } = cursor;
    for (let count = 0; ((block[cursor.at] ?? 0) & 0xe0) === SIZE_UPDATE; count++) {
      if (count === MAX_SIZE_UPDATES) {
        throw compressionError(`more than ${MAX_SIZE_UPDATES} dynamic table size updates in a field block`);
      }
      const bytes = readInteger(cursor, block[cursor.at++] as number, 5);
      if (bytes > this.#limit) {
        throw compressionError(`dynamic table size update to ${bytes} bytes, above the limit of ${this.#limit}`);
      }
      this.#table.resize(bytes);
      this.#awaitsSizeUpdate = false;
    }
    if (this.#awaitsSizeUpdate) {
      throw compressionError(`no dynamic table size update after the limit was lowered to ${this.#limit} bytes`);
    }
  }

  #readField(cursor: BlockCursor): Field {
    const first = cursor.block[cursor.at++] as number;
    if (first >= INDEXED) return this.#fieldAt(readInteger(cursor, first, 7));
    if (first >= INCREMENTAL) {
      const field = this.#readLiteral(cursor, readInteger(cursor, first, 6), false);
      this.#table.insert(field);
      return field;
    }
    if (first >= SIZE_UPDATE) throw compressionError("dynamic table size update behind a field");
    return this.#readLiteral(cursor, readInteger(cursor, first, 4), first >= NEVER_INDEXED);
  }

  #readLiteral(cursor: BlockCursor, nameIndex: number, isNeverIndexed: boolean): Field {
    const name = nameIndex === 0 ? readString(cursor) : this.#fieldAt(nameIndex).name;
    return { name, value: readString(cursor), isNeverIndexed };
  }

  #fieldAt(index: number): Field {
    const field = index <= STATIC_TABLE_LENGTH ? STATIC_FIELDS[index] : this.#table.at(index - STATIC_TABLE_LENGTH - 1);
    if (field !== undefined) return field;
    throw compressionError(`field of index ${index}, ${STATIC_TABLE_LENGTH + this.#table.length} is the last one`);
  }
}

const excessOf = (limits: FieldSectionLimits, count: number, bytes: number, field: Field): string | undefined => {
  if (count > limits.maxFields) return `more than ${limits.maxFields} fields`;
  const own = field.name.length + field.value.length;
  if (own > limits.maxFieldBytes) return `a field of ${own} bytes, at most ${limits.maxFieldBytes} are accepted`;
  return bytes > limits.maxBytes ? `fields of more than ${limits.maxBytes} bytes` : undefined;
};
