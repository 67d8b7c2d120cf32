import { once } from "node:events";
import { expect, test } from "vitest";
import { loopbackPair } from "../testing/loopback.ts";
import { hasPeerEnded } from "./peer-end.ts";

test.each<readonly [string, (far: Awaited<ReturnType<typeof loopbackPair>>[1]) => void]>([
  ["ended", (far) => void far.end()],
  ["reset", (far) => void far.resetAndDestroy()],
])("a peer that has %s is known to have before the event loop tells", async (_, act) => {
  const [near, far] = await loopbackPair();
  near.pause();
  expect(hasPeerEnded(near)).toBe(false);
  const left = once(far, "finish").catch(() => undefined);
  act(far);
  if (!far.destroyed) await left;
  // The other end is in this process, too: what it says is in the kernel at once, and nobody has read here.
  expect([hasPeerEnded(near), near.readableEnded, near.destroyed]).toEqual([true, false, false]);
});

test("a socket of our own that is closed has no peer any more", async () => {
  const [near] = await loopbackPair();
  near.destroy();
  expect(hasPeerEnded(near)).toBe(true);
});
