/** Something that reads bytes of a peer's. */
export interface FuzzTarget {
  readonly name: string;
  /** Words that are worth mixing in. */
  readonly dictionary: readonly Uint8Array[];
  /** Of the scripts whose coverage guides the search: part of their URL. */
  readonly script: string;
  /**
   * Reads an input as the proxy would. Errors of the protocol are caught here.
   * @throws whatever else is thrown, and {@link BrokenInvariant}
   */
  readonly run: (input: Uint8Array) => void;
}

/** The code said two things that cannot both be true. */
export class BrokenInvariant extends Error {
  constructor(rule: string, one: unknown, other: unknown) {
    super(`${rule}:\n  ${text(one)}\n  ${text(other)}`);
    this.name = "BrokenInvariant";
  }
}

/** @throws BrokenInvariant where they differ; compared as they print */
export const mustEqual = (rule: string, one: unknown, other: unknown): void => {
  if (text(one) !== text(other)) throw new BrokenInvariant(rule, one, other);
};

const text = (value: unknown): string => JSON.stringify(value) ?? String(value);

/** Cuts an input into two or three pieces, by its own bytes: the same every time. Each is a copy. */
export const pieces = (input: Uint8Array): readonly Uint8Array[] => {
  let sum = input.length;
  for (const byte of input) sum = (Math.imul(sum, 31) + byte) >>> 0;
  const [one, other] = [sum % (input.length + 1), (sum >>> 8) % (input.length + 1)];
  const edges = [0, Math.min(one, other), Math.max(one, other), input.length];
  return edges
    .slice(1)
    .map((edge, i) => Uint8Array.from(input.subarray(edges[i], edge)))
    .filter(({ length }) => length > 0);
};

export const words = (...list: readonly string[]): readonly Uint8Array[] =>
  list.map((word) => Buffer.from(word, "latin1"));
