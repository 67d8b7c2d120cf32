import { Coverage } from "./coverage.ts";
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";
import type { FuzzTarget } from "./target.ts";

export interface FuzzOptions {
  readonly corpus: readonly Uint8Array[];
  readonly seed: number;
  readonly maxInputBytes: number;
  /** After how many inputs the counts are read, which costs as much as some dozens of inputs. */
  readonly inputsPerLook?: number;
  /** Asked now and then, with the number of inputs so far. */
  readonly isOver: (inputs: number) => boolean;
}

export interface FuzzResult {
  readonly inputs: number;
  /** Beyond the corpus: each has run code that nothing before it ran. */
  readonly found: readonly Uint8Array[];
  readonly crash: Crash | undefined;
}

export interface Crash {
  readonly input: Uint8Array;
  readonly error: unknown;
}

const INPUTS_PER_LOOK = 64;

/** Looks for an input on which a target fails: changes of inputs that ran new code are changed further. */
export const fuzz = (target: FuzzTarget, options: FuzzOptions): FuzzResult => {
  const random = new Random(options.seed);
  const coverage = new Coverage(target.script);
  const corpus = [...options.corpus, Uint8Array.of()];
  const found: Uint8Array[] = [];
  let inputs = 0;
  try {
    for (const input of corpus) {
      const crash = tryInput(target, input);
      if (crash !== undefined) return { inputs, found, crash };
    }
    coverage.takeNew();
    while (!options.isOver(inputs)) {
      const batch: Uint8Array[] = [];
      for (let i = 0; i < (options.inputsPerLook ?? INPUTS_PER_LOOK); i += 1) {
        const input = mutate(
          choose(corpus, random),
          { dictionary: target.dictionary, others: corpus, maxBytes: options.maxInputBytes },
          random,
        );
        batch.push(input);
        inputs += 1;
        const crash = tryInput(target, input);
        if (crash !== undefined) return { inputs, found, crash };
      }
      if (!coverage.hasNew()) continue;
      const fresh = culprits(target, coverage, batch);
      corpus.push(...fresh);
      found.push(...fresh);
    }
    return { inputs, found, crash: undefined };
  } finally {
    coverage.stop();
  }
};

/** Half of the time one of the newest: whoever came far may come further. */
const choose = (corpus: readonly Uint8Array[], random: Random): Uint8Array =>
  random.below(2) === 0 ? random.of(corpus) : random.of(corpus.slice(-8));

/** Which inputs of a batch run code that is new: halves of it once more, until there is one. */
const culprits = (target: FuzzTarget, coverage: Coverage, batch: readonly Uint8Array[]): readonly Uint8Array[] => {
  for (const input of batch) tryInput(target, input);
  if (batch.length === 1) return coverage.takeNew() ? batch : [];
  if (!coverage.hasNew()) return [];
  const middle = batch.length >> 1;
  const first = culprits(target, coverage, batch.slice(0, middle));
  return [...first, ...culprits(target, coverage, batch.slice(middle))];
};

/** An input may take so long, and so much more for each of its bytes; far above what any takes that is not stuck. */
const MAX_MS = 50;
const MAX_MS_PER_KIB = 5;
/** Somebody else may have had the processor. */
const TRIES = 4;

/** Runs one input. @returns why the target failed on it, if it did. */
export const tryInput = (target: FuzzTarget, input: Uint8Array): Crash | undefined => {
  const limit = MAX_MS + (MAX_MS_PER_KIB * input.length) / 1024;
  let ms = Infinity;
  for (let tries = 0; tries < TRIES && ms > limit; tries += 1) {
    const start = performance.now();
    try {
      target.run(input);
    } catch (error) {
      return { input, error };
    }
    ms = Math.min(ms, performance.now() - start);
  }
  return ms > limit ? { input, error: new Error(`${ms} ms for ${input.length} bytes`) } : undefined;
};
