import type { FieldSection } from "./hpack/hpack-decoder.ts";

/**
 * What one connection may have done before it is the turn of others, in the work that the least frame is: about 5 ms on a slow
 * core. A read of 64 KiB may hold a thousand requests whose heads are 32 KiB each, and one event of a socket 32 such reads.
 */
const WORK = 2_048;
/** Data are handed on, which may be a system call. */
const DATA_WORK = 4;
/** A head is decoded, checked, and somebody is asked what to do with it. */
const BLOCK_WORK = 32;
const FIELD_WORK = 1;
/** Characters of names and values that are checked for as much work as the least frame is. */
const CHARACTERS = 512;
/** What is too large is decoded to its end, and how large it was is not known any more. */
const TOO_LARGE_WORK = 128;

/**
 * Counts the work that received frames are. It does not know when a turn of the event loop begins: a connection that is quiet may
 * pause a little early, which costs next to nothing.
 */
export class ReceivePace {
  readonly #pause: () => void;
  #left = WORK;

  /** @param pause the rest is for another turn */
  constructor(pause: () => void) {
    this.#pause = pause;
  }

  frame(): void {
    this.#spend(1);
  }

  data(): void {
    this.#spend(DATA_WORK);
  }

  block(decoded: FieldSection): void {
    this.#spend(BLOCK_WORK + (decoded.kind === "too-large" ? TOO_LARGE_WORK : sectionWork(decoded.fields)));
  }

  #spend(work: number): void {
    this.#left -= work;
    if (this.#left > 0) return;
    this.#left = WORK;
    this.#pause();
  }
}

const sectionWork = (fields: readonly { readonly name: string; readonly value: string }[]): number => {
  let characters = 0;
  for (const { name, value } of fields) characters += name.length + value.length;
  return fields.length * FIELD_WORK + characters / CHARACTERS;
};
