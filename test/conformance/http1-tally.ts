/** Something that is given to every parser. */
export interface Input {
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** How a peer's reading differs from ours. */
export type Outcome =
  | { readonly kind: "agreed" }
  /** We refuse what the peer accepts: that is what a strict parser is for. */
  | { readonly kind: "stricter" }
  /** It neither answered nor closed in time, or its answer does not tell. */
  | { readonly kind: "undecided" }
  | { readonly kind: "explained"; readonly why: string }
  | { readonly kind: "unexplained"; readonly ours: unknown; readonly theirs: unknown };

export interface Tally {
  agreed: number;
  stricter: number;
  undecided: number;
  readonly explained: Map<string, number>;
  readonly unexplained: { readonly input: Input; readonly found: Outcome }[];
}

/** Connections at a time: enough to hide the peers' waiting. */
const AT_A_TIME = 24;
/** Disagreements of one peer that are shown in full. */
const SHOWN = 12;

export const compare = async <Given extends Input>(
  inputs: readonly Given[],
  look: (input: Given) => Promise<Outcome>,
): Promise<Tally> => {
  const tally: Tally = { agreed: 0, stricter: 0, undecided: 0, explained: new Map(), unexplained: [] };
  const left = inputs.values();
  const work = async (): Promise<void> => {
    for (const input of left) count(tally, input, await look(input));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return tally;
};

const count = (tally: Tally, input: Input, found: Outcome): void => {
  switch (found.kind) {
    case "agreed":
    case "stricter":
    case "undecided":
      tally[found.kind] += 1;
      break;
    case "explained":
      tally.explained.set(found.why, (tally.explained.get(found.why) ?? 0) + 1);
      break;
    case "unexplained":
      tally.unexplained.push({ input, found });
  }
};

/** Prints what came of a peer, in lines. */
export const report = (peer: string, tally: Tally, print: (line: string) => void): void => {
  const { agreed, stricter, undecided, explained, unexplained } = tally;
  const sum = [...explained.values()].reduce((a, b) => a + b, 0);
  print(
    `${peer}: ${agreed} agreed, ${stricter} only we refuse, ${sum} explained, ${undecided} undecided, ${unexplained.length} UNEXPLAINED`,
  );
  for (const [why, times] of explained) print(`    ${times} x ${why}`);
  for (const { input, found } of unexplained.slice(0, SHOWN)) {
    const text = Buffer.from(input.bytes).toString("latin1");
    print(`  ${input.id}: ${JSON.stringify(text.slice(0, 600))}\n    ${JSON.stringify({ ...found, kind: undefined })}`);
  }
};
