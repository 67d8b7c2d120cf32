/** What repeated measurements say together. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @returns undefined where nothing was measured */
export const summary = (values: readonly (number | undefined)[]): Summary | undefined => {
  const sorted = values.filter((value) => value !== undefined).sort((left, right) => left - right);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) return undefined;
  const middle = (sorted.length - 1) / 2;
  const lower = sorted[Math.floor(middle)] ?? min;
  const upper = sorted[Math.ceil(middle)] ?? max;
  return { median: (lower + upper) / 2, min, max };
};

/**
 * Ratios round by round: what disturbs the machine for a while disturbs both. A round in which either was not measured has none.
 */
export const ratios = (
  values: readonly (number | undefined)[],
  others: readonly (number | undefined)[],
): readonly (number | undefined)[] =>
  values.map((value, round) => {
    const other = others[round];
    return value === undefined || other === undefined || other === 0 ? undefined : value / other;
  });
