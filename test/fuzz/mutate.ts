import type { Random } from "./random.ts";

/** What is mixed into an input. */
export interface Ingredients {
  /** Words of the protocol. */
  readonly dictionary: readonly Uint8Array[];
  /** Inputs from which pieces are taken. */
  readonly others: readonly Uint8Array[];
  readonly maxBytes: number;
  /** 4 where it is not given. */
  readonly maxChanges?: number;
}

/** At least one change, each a small one. The input stays as it is. */
export const mutate = (input: Uint8Array, ingredients: Ingredients, random: Random): Uint8Array => {
  let bytes: Uint8Array = input;
  for (let changes = 1 + random.below(ingredients.maxChanges ?? 4); changes > 0; changes -= 1)
    bytes = random.of(CHANGES)(bytes, ingredients, random);
  return bytes.subarray(0, ingredients.maxBytes);
};

type Change = (bytes: Uint8Array, ingredients: Ingredients, random: Random) => Uint8Array;

/** `bytes` with `removed` bytes from `at` on replaced by `inserted`. */
const splice = (bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array =>
  Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(Math.min(bytes.length, at + removed))]);

const position = (bytes: Uint8Array, random: Random): number => random.below(bytes.length + 1);

const piece = (bytes: Uint8Array, random: Random): Uint8Array => {
  const from = position(bytes, random);
  return bytes.subarray(from, from + 1 + random.below(Math.min(64, bytes.length - from + 1)));
};

/** Where lengths and limits change their meaning. */
const EDGES: readonly number[] = [0, 1, 2, 0x0a, 0x0d, 0x20, 0x30, 0x3a, 0x7f, 0x80, 0x81, 0xfe, 0xff];
const NUMBERS: readonly string[] = [
  "0",
  "1",
  "00",
  "10",
  "ffffffff",
  "4294967296",
  "9007199254740993",
  "-1",
  "+1",
  "1e1",
];

const CHANGES: readonly Change[] = [
  function flipBit(bytes, _, random) {
    if (bytes.length === 0) return bytes;
    const at = random.below(bytes.length);
    return splice(bytes, at, 1, Uint8Array.of((bytes[at] as number) ^ (1 << random.below(8))));
  },
  function setByte(bytes, _, random) {
    return splice(bytes, position(bytes, random), 1, Uint8Array.of(random.below(256)));
  },
  function setEdge(bytes, _, random) {
    return splice(bytes, position(bytes, random), random.below(2), Uint8Array.of(random.of(EDGES)));
  },
  function addOne(bytes, _, random) {
    if (bytes.length === 0) return bytes;
    const at = random.below(bytes.length);
    return splice(bytes, at, 1, Uint8Array.of((bytes[at] as number) + (random.below(2) === 0 ? 1 : 255)));
  },
  function remove(bytes, _, random) {
    return splice(bytes, position(bytes, random), 1 + random.below(random.of([1, 4, 32])), EMPTY);
  },
  function repeat(bytes, _, random) {
    return splice(bytes, position(bytes, random), 0, piece(bytes, random));
  },
  function insertWord(bytes, { dictionary }, random) {
    return splice(bytes, position(bytes, random), 0, random.of(dictionary));
  },
  function overwriteWord(bytes, { dictionary }, random) {
    const word = random.of(dictionary);
    return splice(bytes, position(bytes, random), word.length, word);
  },
  function insertNumber(bytes, _, random) {
    return splice(bytes, position(bytes, random), random.below(3), Buffer.from(random.of(NUMBERS)));
  },
  function mixIn(bytes, { others }, random) {
    return splice(bytes, position(bytes, random), random.below(8), piece(random.of(others), random));
  },
  function goOnAsAnother(bytes, { others }, random) {
    const other = random.of(others);
    return Buffer.concat([bytes.subarray(0, position(bytes, random)), other.subarray(position(other, random))]);
  },
  function append(bytes, { others }, random) {
    return Buffer.concat([bytes, random.of(others)]);
  },
];

const EMPTY = new Uint8Array(0);
