/** Finds the values of an index that an object stands under. */
export type IndexKeys<Item> = (item: Item) => readonly string[];

/** Objects by key, and by whatever else they are looked up with. */
export class IndexedTable<Item, Index extends string> {
  readonly #items = new Map<string, Item>();
  readonly #indexes: Readonly<Record<Index, IndexKeys<Item>>>;
  readonly #buckets = new Map<string, Set<string>>();

  constructor(indexes: Readonly<Record<Index, IndexKeys<Item>>>) {
    this.#indexes = indexes;
  }

  get(key: string): Item | undefined {
    return this.#items.get(key);
  }

  keys(): Iterable<string> {
    return this.#items.keys();
  }

  values(): Iterable<Item> {
    return this.#items.values();
  }

  /** The objects that an index has under a value. */
  where(index: Index, value: string): readonly Item[] {
    return this.keysWhere(index, value).map((key) => this.#items.get(key) as Item);
  }

  keysWhere(index: Index, value: string): readonly string[] {
    return [...(this.#buckets.get(`${index} ${value}`) ?? [])];
  }

  hasWhere(index: Index, value: string): boolean {
    return this.#buckets.has(`${index} ${value}`);
  }

  /** Puts an object in, or takes it out with undefined. @returns the one that was there */
  set(key: string, item: Item | undefined): Item | undefined {
    const previous = this.#items.get(key);
    for (const bucket of previous === undefined ? [] : this.#bucketsOf(previous)) {
      const keys = this.#buckets.get(bucket);
      keys?.delete(key);
      if (keys?.size === 0) this.#buckets.delete(bucket);
    }
    if (item === undefined) this.#items.delete(key);
    else this.#items.set(key, item);
    for (const bucket of item === undefined ? [] : this.#bucketsOf(item)) {
      const keys = this.#buckets.get(bucket);
      if (keys) keys.add(key);
      else this.#buckets.set(bucket, new Set([key]));
    }
    return previous;
  }

  #bucketsOf(item: Item): readonly string[] {
    return (Object.keys(this.#indexes) as Index[]).flatMap((index) =>
      this.#indexes[index](item).map((value) => `${index} ${value}`),
    );
  }
}
