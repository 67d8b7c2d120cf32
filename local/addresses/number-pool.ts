import { err, ok, type Result } from "#mesh/result.ts";
import type { NumberRange } from "./address-plan.ts";

/** Which numbers are taken, by whom, and where to look for the next. */
export interface NumberPool {
  readonly taken: Readonly<Record<string, number>>;
  readonly next: number;
}

export const emptyPool = ({ first }: NumberRange): NumberPool => ({ taken: {}, next: first });

/**
 * The number of `key`: the one it has, or the next free one after the last that was given away. A number that was given
 * back is therefore used again only when all others were: nobody who still remembers the old owner meets the new one.
 * @param avoided numbers that are in use for another reason
 */
export const takeNumber = (
  pool: NumberPool,
  range: NumberRange,
  key: string,
  avoided: ReadonlySet<number> = new Set(),
): Result<{ readonly pool: NumberPool; readonly number: number }, string> => {
  const own = pool.taken[key];
  if (own !== undefined && !avoided.has(own)) return ok({ pool, number: own });
  const used = new Set([...Object.values(pool.taken), ...avoided]);
  const size = range.last - range.first + 1;
  for (let step = 0; step < size; step++) {
    const number = range.first + ((pool.next - range.first + step) % size);
    if (!used.has(number)) {
      const next = number === range.last ? range.first : number + 1;
      return ok({ number, pool: { next, taken: { ...pool.taken, [key]: number } } });
    }
  }
  return err(`all ${size} addresses are taken`);
};

/** The pool with the numbers of everybody else given back. */
export const keepNumbers = (pool: NumberPool, keys: ReadonlySet<string>): NumberPool => ({
  next: pool.next,
  taken: Object.fromEntries(Object.entries(pool.taken).filter(([key]) => keys.has(key))),
});
