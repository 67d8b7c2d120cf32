import { closeSync, openSync } from "node:fs";

/**
 * One for a connection, and one for the descriptor that libuv keeps for itself: with it, whoever connects to a process that
 * has none left is turned away. Where another thread takes it in that moment, libuv tries to accept again and again, with
 * all the time of a processor, until somebody gives a descriptor back.
 */
const SPARES = 2;
const LOOK_MS = 1_000;
/** That none is left is said once in so many looks. */
const SAY_EVERY = 60;
/** After so many looks in a row that found one, it is over. */
const CALM_LOOKS = 5;

/** How descriptors are had and given back. */
export interface DescriptorSource {
  /** @throws Error if there is none */
  readonly open: () => number;
  readonly close: (descriptor: number) => void;
}

/** Descriptors of a process that are kept for when there is none left; the twin of proxy/kernel/spare-descriptors.ts. */
export class SpareDescriptors {
  readonly #source: DescriptorSource;
  readonly #spares: number[] = [];
  #looks = 0;
  #saidAt = -SAY_EVERY;
  #isSaid = false;
  #calm = 0;

  constructor(source: DescriptorSource) {
    this.#source = source;
    this.#take(SPARES);
  }

  /** Gives the spare ones away where none is left, and takes them back later. @returns what is to be said now */
  look(): "none-left" | "enough" | undefined {
    this.#looks++;
    // One more than are kept: the last one is not ours to take.
    if (this.#take(SPARES + 1)) {
      for (const descriptor of this.#spares.splice(SPARES)) this.#source.close(descriptor);
      return this.#found();
    }
    for (const descriptor of this.#spares.splice(0)) this.#source.close(descriptor);
    this.#calm = 0;
    if (this.#looks - this.#saidAt < SAY_EVERY) return undefined;
    this.#saidAt = this.#looks;
    this.#isSaid = true;
    return "none-left";
  }

  #found(): "enough" | undefined {
    if (!this.#isSaid || ++this.#calm < CALM_LOOKS) return undefined;
    this.#isSaid = false;
    return "enough";
  }

  #take(count: number): boolean {
    try {
      while (this.#spares.length < count) this.#spares.push(this.#source.open());
      return true;
    } catch {
      return false;
    }
  }
}

/** Looks every second from now on whether this process has descriptors left. */
export const keepSpareDescriptors = (say: (what: "none-left" | "enough") => void): void => {
  const spares = new SpareDescriptors({ open: () => openSync("/", "r"), close: closeSync });
  setInterval(() => {
    const what = spares.look();
    if (what !== undefined) say(what);
  }, LOOK_MS).unref();
};
