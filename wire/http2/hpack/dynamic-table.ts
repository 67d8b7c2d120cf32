import type { Field } from "../../field.ts";

/** Size of a dynamic table before any SETTINGS (RFC 9113 section 6.5.2, SETTINGS_HEADER_TABLE_SIZE). */
export const DEFAULT_TABLE_BYTES = 4096;

const ENTRY_OVERHEAD_BYTES = 32;
/** A power of two, as are all lengths of the ring. Holds what fits into {@link DEFAULT_TABLE_BYTES} of usual fields. */
const FIRST_RING_LENGTH = 64;

/** What a field counts: in a table (RFC 7541 section 4.1), and in the size of a field section (RFC 9113 section 6.5.2). */
export const fieldBytes = (field: Field): number => field.name.length + field.value.length + ENTRY_OVERHEAD_BYTES;

/** A first-in, first-out list of fields, bounded by bytes (RFC 7541 section 2.3.2), as a ring. */
export class DynamicTable {
  #ring: (Field | undefined)[] = Array.from({ length: FIRST_RING_LENGTH });
  /** Counts on without end; the place in the ring is its low bits. */
  #inserted = 0;
  #length = 0;
  #bytes = 0;
  #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Number of entries. */
  get length(): number {
    return this.#length;
  }

  /** Sum of {@link fieldBytes}, never above {@link maxBytes}. */
  get bytes(): number {
    return this.#bytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** How many entries were ever inserted: the number of the newest one. */
  get inserted(): number {
    return this.#inserted;
  }

  /** @param age 0 for the newest entry @returns undefined where there is none */
  at(age: number): Field | undefined {
    return age < this.#length ? this.#ring[(this.#inserted - age) & (this.#ring.length - 1)] : undefined;
  }

  /** Evicts what does not fit any more (section 4.3). */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    while (this.#bytes > maxBytes) this.removeOldest();
  }

  /** Evicts to make room. A field larger than the table leaves it empty, which is no error (section 4.4). */
  insert(field: Field): void {
    const bytes = fieldBytes(field);
    while (this.#length > 0 && this.#bytes + bytes > this.#maxBytes) this.removeOldest();
    if (bytes > this.#maxBytes) return;
    if (this.#length === this.#ring.length) this.#grow();
    this.#inserted++;
    this.#ring[this.#inserted & (this.#ring.length - 1)] = field;
    this.#length++;
    this.#bytes += bytes;
  }

  /** @returns what was removed; undefined for an empty table */
  removeOldest(): Field | undefined {
    const oldest = this.at(this.#length - 1);
    if (oldest === undefined) return undefined;
    this.#ring[(this.#inserted - this.#length + 1) & (this.#ring.length - 1)] = undefined;
    this.#length--;
    this.#bytes -= fieldBytes(oldest);
    return oldest;
  }

  #grow(): void {
    const wider: (Field | undefined)[] = Array.from({ length: 2 * this.#ring.length });
    for (let age = 0; age < this.#length; age++) wider[(this.#inserted - age) & (wider.length - 1)] = this.at(age);
    this.#ring = wider;
  }
}
