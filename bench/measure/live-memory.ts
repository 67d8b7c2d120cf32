import { setTimeout as delay } from "node:timers/promises";

const SETTLE_MS = 100;

/**
 * What is alive in this process, on the heap and in buffers beside it, in bytes. Collected twice, since the memory of buffers is
 * given back behind the first. It takes `--expose-gc`: without that the number would be of garbage.
 */
export const liveBytes = async (): Promise<number> => {
  for (let count = 0; count < 2; count++) {
    await delay(SETTLE_MS);
    if (!globalThis.gc) throw new Error("live memory is measured with --expose-gc");
    globalThis.gc();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
