/** When a certificate began to be used, and when it ends. Milliseconds since 1970. */
export interface Term {
  /** When it was issued or received; `notBefore` lies in the past on purpose and would make short ones renew at once. */
  readonly from: number;
  readonly until: number;
}

/** Plus and minus this part of the half-life, so that certificates issued together are not renewed together. */
const RENEWAL_JITTER = 0.1;

/**
 * When to renew: at half of the term, plus or minus 10 % of that half.
 * @param random a number from 0 to 1, as from Math.random
 * @returns milliseconds since 1970
 */
export const renewalTime = ({ from, until }: Term, random: () => number): number => {
  const halfMs = (until - from) / 2;
  return Math.round(from + halfMs * (1 + RENEWAL_JITTER * (2 * random() - 1)));
};
