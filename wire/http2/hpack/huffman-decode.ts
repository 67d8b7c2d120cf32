import { compressionError } from "./compression-error.ts";
import { CODE_LENGTHS, CODES, END_OF_STRING } from "./huffman-code.ts";

// A text is decoded a byte of code at a step. A state is an inner node of the code's tree: the bits that were read since the last
// symbol. As no code is shorter than five bits, a step ends at most two symbols:
//
//   STEPS[state << 8 | byte] = next state 8, first symbol 8, second symbol 8, how many symbols 2, contains end of string 1
//
// with the next state in the lowest bits. Symbols that there are not are written as well, and overwritten.

const FIRST_SYMBOL = 8;
const SECOND_SYMBOL = 16;
const SYMBOLS = 24;
const CONTAINS_END = 26;

/** Longer padding would be a whole byte that says nothing (RFC 7541 section 5.2). */
const MAX_PADDING_BITS = 7;

/** Bytes of text in a byte of code, at most: 8 bits for a code of 5. */
const MAX_EXPANSION = 8 / 5;
/** The last step writes two symbols, whether they are there or not. */
const SLACK_BYTES = 2;

/** Text of usual fields is gathered here; decoding never waits in between. */
const SCRATCH = Buffer.allocUnsafeSlow(16 * 1024);

/** @throws Http2ConnectionError where the text contains the end of string, or its padding is anything but up to seven ones */
export const decodeHuffman = (bytes: Uint8Array, from: number, to: number): string => {
  const room = (to - from) * MAX_EXPANSION + SLACK_BYTES;
  const text = room <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafeSlow(Math.ceil(room));
  let length = 0;
  let state = 0;
  let seen = 0;
  for (let at = from; at < to; at++) {
    const step = STEPS[(state << 8) | (bytes[at] as number)] as number;
    text[length] = step >>> FIRST_SYMBOL;
    text[length + 1] = step >>> SECOND_SYMBOL;
    length += (step >>> SYMBOLS) & 3;
    state = step & 0xff;
    seen |= step;
  }
  if (seen >>> CONTAINS_END !== 0) throw compressionError("Huffman code of a field contains the end of string");
  if (IS_PADDING[state] === 0) throw compressionError("Huffman code of a field is not padded with up to seven ones");
  return text.toString("latin1", 0, length);
};

/** Where a bit leads from an inner node, at `2 * node + bit`; the root is node 0. A symbol stands as `-1 - symbol`. */
type CodeTree = Int16Array;

const codeTree = (): CodeTree => {
  // A tree has one inner node less than leaves.
  const tree = new Int16Array(2 * (CODES.length - 1));
  let nodes = 1;
  for (let symbol = 0; symbol < CODES.length; symbol++) {
    let node = 0;
    for (let left = (CODE_LENGTHS[symbol] as number) - 1; left >= 0; left--) {
      const way = 2 * node + (((CODES[symbol] as number) >>> left) & 1);
      // Nothing leads back to the root: 0 is a way that is not there yet.
      if (tree[way] === 0) tree[way] = left === 0 ? -1 - symbol : nodes++;
      node = tree[way] as number;
    }
  }
  return tree;
};

const stepsOf = (tree: CodeTree): Uint32Array => {
  const steps = new Uint32Array((tree.length / 2) << 8);
  for (let at = 0; at < steps.length; at++) steps[at] = stepOf(tree, at >>> 8, at & 0xff);
  return steps;
};

const stepOf = (tree: CodeTree, state: number, byte: number): number => {
  let node = state;
  let step = 0;
  let symbols = 0;
  for (let left = 7; left >= 0; left--) {
    const way = tree[2 * node + ((byte >>> left) & 1)] as number;
    node = way < 0 ? 0 : way;
    if (way === -1 - END_OF_STRING) step |= 1 << CONTAINS_END;
    else if (way < 0) step |= (-1 - way) << (symbols++ === 0 ? FIRST_SYMBOL : SECOND_SYMBOL);
  }
  return step | (symbols << SYMBOLS) | node;
};

/** 1 for the states in which a text may end: what was read since the last symbol is up to seven ones. */
const paddingOf = (tree: CodeTree): Uint8Array => {
  const isPadding = new Uint8Array(tree.length / 2);
  let node = 0;
  for (let ones = 0; ones <= MAX_PADDING_BITS; ones++) {
    isPadding[node] = 1;
    node = tree[2 * node + 1] as number;
  }
  return isPadding;
};

const TREE = codeTree();
const STEPS = stepsOf(TREE);
const IS_PADDING = paddingOf(TREE);
