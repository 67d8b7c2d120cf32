/** Where something stands in a {@link Roster}. */
export interface Place<Item> {
  readonly item: Item;
  /** -1: it does not stand there any more. */
  at: number;
}

/**
 * What is there for a while, in no order: each is added and taken out, and now and then something is done to all. A Set is not made
 * for that where many come and go: V8 replaces its table again and again, and each table keeps alive what stood in those before it,
 * until the old generation is collected.
 */
export class Roster<Item> implements Iterable<Item> {
  readonly #places: Place<Item>[] = [];

  /** @returns by which it is taken out */
  add(item: Item): Place<Item> {
    const place = { item, at: this.#places.length };
    this.#places.push(place);
    return place;
  }

  /** Takes out what stands there; a second time does nothing. */
  delete(place: Place<Item>): void {
    if (place.at < 0) return;
    const last = this.#places.pop();
    if (last !== undefined && last !== place) {
      last.at = place.at;
      this.#places[place.at] = last;
    }
    place.at = -1;
  }

  /** All that stand there when it begins, but those that are taken out meanwhile. */
  *[Symbol.iterator](): Generator<Item> {
    for (const place of this.#places.slice()) if (place.at >= 0) yield place.item;
  }
}
