import type { StreamRecord } from "./stream.ts";

/** About as many as a busy connection has streams at a time; a peer that picks numbers of one list has them all in one. */
const LISTS = 64;

/**
 * Streams by their numbers: short lists that the streams themselves are the links of. In a Map, V8 replaces the table below it
 * after every few dozen streams, and each table that was replaced leads to the next one: a first one that has grown old kept every
 * stream after it, with all that belongs to their requests, until the next major collection. Collecting took a quarter of the CPU.
 */
export class StreamsById {
  readonly #lists: (StreamRecord | undefined)[] = Array.from({ length: LISTS });
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): StreamRecord | undefined {
    let stream = this.#lists[listOf(id)];
    while (stream && stream.id !== id) stream = stream.next;
    return stream;
  }

  /** @param stream whose number is not there */
  add(stream: StreamRecord): void {
    const list = listOf(stream.id);
    stream.next = this.#lists[list];
    this.#lists[list] = stream;
    this.#size++;
  }

  /** @returns whether it was there */
  delete(stream: StreamRecord): boolean {
    const list = listOf(stream.id);
    let before: StreamRecord | undefined;
    let at = this.#lists[list];
    while (at && at !== stream) [before, at] = [at, at.next];
    if (!at) return false;
    if (before) before.next = stream.next;
    else this.#lists[list] = stream.next;
    stream.next = undefined;
    this.#size--;
    return true;
  }

  /** In the order of their numbers, as they are now. */
  all(): readonly StreamRecord[] {
    const all: StreamRecord[] = [];
    for (const first of this.#lists) {
      for (let stream = first; stream; stream = stream.next) all.push(stream);
    }
    return all.sort((a, b) => a.id - b.id);
  }
}

/** Each side opens every second number. */
const listOf = (id: number): number => (id >>> 1) % LISTS;
