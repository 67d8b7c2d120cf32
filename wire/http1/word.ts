/** A text that is looked for among bytes, without making a string of them. */
export interface Word {
  readonly text: string;
  readonly bytes: Uint8Array;
}

/** @param text latin1 */
export const word = (text: string): Word => ({ text, bytes: Buffer.from(text, "latin1") });

/** The words of each length, at its index. */
export type WordsByLength = readonly (readonly Word[] | undefined)[];

export const byLength = (texts: readonly string[]): WordsByLength => {
  const table: Word[][] = [];
  for (const text of texts) (table[text.length] ??= []).push(word(text));
  return Array.from(table);
};

/** Whether it stands there, in its very case. */
export const standsAt = (bytes: Uint8Array, at: number, { bytes: sought }: Word): boolean => {
  for (let i = 0; i < sought.length; i += 1) if (bytes[at + i] !== sought[i]) return false;
  return true;
};

/** Which of the words fills the bytes from one index to another, in its very case. */
export const wordAt = (bytes: Uint8Array, from: number, to: number, words: WordsByLength): string | undefined => {
  for (const each of words[to - from] ?? NO_WORDS) if (standsAt(bytes, from, each)) return each.text;
  return undefined;
};

/**
 * Which of the names fills the bytes from one index to another, in whatever case.
 * @param bytes all of them of a token
 * @param names of lower-case letters, digits and "-"
 */
export const nameAt = (bytes: Uint8Array, from: number, to: number, names: WordsByLength): string | undefined => {
  for (const each of names[to - from] ?? NO_WORDS) if (isNameAt(bytes, from, each)) return each.text;
  return undefined;
};

/** In digits and "-" the bit is set, and without it they are no characters of a token. */
const isNameAt = (bytes: Uint8Array, at: number, { bytes: sought }: Word): boolean => {
  for (let i = 0; i < sought.length; i += 1)
    if (((bytes[at + i] as number) | LOWER_CASE_BIT) !== sought[i]) return false;
  return true;
};

const LOWER_CASE_BIT = 0x20;
const NO_WORDS: readonly Word[] = [];
