import type { Field } from "../../field.ts";
import { DynamicTable, fieldBytes } from "./dynamic-table.ts";
import { STATIC_NAMES, STATIC_TABLE_LENGTH } from "./static-table.ts";

/** How many values of one name are compared, newest first: a name whose values never repeat must not cost a look at them all. */
const MAX_COMPARED_VALUES = 32;

/** What an encoder sees of both tables: a {@link DynamicTable} that is searched by name and value. */
export class EncoderTable {
  readonly #table: DynamicTable;
  /** By name, the numbers of its entries as {@link DynamicTable.inserted} counts them, oldest first. */
  readonly #entriesOf = new Map<string, number[]>();

  constructor(maxBytes: number) {
    this.#table = new DynamicTable(maxBytes);
  }

  get maxBytes(): number {
    return this.#table.maxBytes;
  }

  /** How many names of the dynamic table are held: never more than it has entries. */
  get names(): number {
    return this.#entriesOf.size;
  }

  /** @returns the index of the whole field in either table; 0 where it is in none */
  indexOf(name: string, value: string): number {
    const fixed = STATIC_NAMES.get(name);
    if (fixed !== undefined) {
      const at = fixed.values.indexOf(value);
      if (at !== -1) return fixed.firstIndex + at;
    }
    const entries = this.#entriesOf.get(name);
    if (entries === undefined) return 0;
    const table = this.#table;
    const last = Math.max(0, entries.length - MAX_COMPARED_VALUES);
    for (let at = entries.length - 1; at >= last; at--) {
      const age = table.inserted - (entries[at] as number);
      if (table.at(age)?.value === value) return STATIC_TABLE_LENGTH + 1 + age;
    }
    return 0;
  }

  /** @returns the index of some field with this name; 0 where there is none */
  indexOfName(name: string): number {
    const fixed = STATIC_NAMES.get(name);
    if (fixed !== undefined) return fixed.firstIndex;
    const newest = this.#entriesOf.get(name)?.at(-1);
    return newest === undefined ? 0 : STATIC_TABLE_LENGTH + 1 + this.#table.inserted - newest;
  }

  /** @param field not larger than the table */
  insert(field: Field): void {
    this.#evictTo(this.#table.maxBytes - fieldBytes(field));
    this.#table.insert(field);
    const entries = this.#entriesOf.get(field.name);
    if (entries === undefined) this.#entriesOf.set(field.name, [this.#table.inserted]);
    else entries.push(this.#table.inserted);
  }

  resize(maxBytes: number): void {
    this.#evictTo(maxBytes);
    this.#table.resize(maxBytes);
  }

  #evictTo(bytes: number): void {
    while (this.#table.bytes > bytes) {
      const evicted = this.#table.removeOldest();
      if (evicted === undefined) return;
      const entries = this.#entriesOf.get(evicted.name);
      // Entries leave in the order in which they came, so the oldest of all is also the oldest of its name.
      entries?.shift();
      if (entries?.length === 0) this.#entriesOf.delete(evicted.name);
    }
  }
}
