import { randomFillSync } from "node:crypto";

/** One call for many ids: each call costs 4 µs, however little it is asked for. */
const POOL_BYTES = 4096;

const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let used = POOL_BYTES;

/** Random bytes that are told apart, and tell nothing: ids of traces. @param bytes at most 4096 @returns in lower-case hex */
export const randomHex = (bytes: number): string => {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString("hex", used - bytes, used);
};
