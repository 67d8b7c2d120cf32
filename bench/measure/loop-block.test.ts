import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { LoopBlock } from "./loop-block.ts";

const watching = (): LoopBlock => {
  const watch = new LoopBlock();
  onTestFinished(() => watch.close());
  watch.begin();
  return watch;
};

test("what keeps the event loop from turning counts, and waiting for something does not", async () => {
  const watch = watching();
  await delay(100);
  const idle = watch.end();
  watch.begin();
  const until = process.threadCpuUsage().user + 200_000;
  while (process.threadCpuUsage().user < until);
  await delay(5);
  const busy = watch.end();
  expect(busy.ownMs).toBeGreaterThan(150);
  expect(busy.wallMs).toBeGreaterThanOrEqual(busy.ownMs);
  expect(idle.ownMs).toBeLessThan(busy.ownMs);
});

test("each beginning forgets what was before", async () => {
  const watch = watching();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  await delay(5);
  expect(watch.end().ownMs).toBeGreaterThan(250);
  watch.begin();
  expect(watch.end()).toEqual({ ownMs: 0, wallMs: 0 });
});
