import { afterAll, beforeAll, expect, test } from "vitest";
import { CALLERS, changeWeights, expectSplit, twoVersions } from "./weight-changes.ts";

const mesh = twoVersions();
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

test("weights change under load: no request fails, connections stay, each request is split by the weights it was decided with", async () => {
  const tally = await changeWeights(mesh, 9);
  tally.expectUndisturbed(CALLERS);
  expectSplit(tally, 9);
  // What was there before the first.
  expect(tally.in("none", "one")).toBeGreaterThan(0);
  expect(tally.in("none", "two")).toBe(0);
});
