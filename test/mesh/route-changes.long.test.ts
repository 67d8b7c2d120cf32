import { afterAll, beforeAll, expect, test } from "vitest";
import { orderlyPod } from "./requesting-pods.ts";
import { CALLERS, changeWeights, expectSplit, twoVersions } from "./weight-changes.ts";

const mesh = twoVersions();
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const CHANGES = 200;

/** Other pods come and go meanwhile, and one that is called by nobody changes its node's proxy's mind again and again. */
const changeOthers = async (epoch: number): Promise<void> => {
  if (epoch % 10 === 3) mesh.write("other.yaml", orderlyPod("shop/other", (epoch % 2) + 1, "other"));
  if (epoch % 10 === 9) mesh.remove("other.yaml");
};

test(`${CHANGES} changes of weights under load, while other pods come and go: no request fails, no connection ends, and the split is right`, async () => {
  const tally = await changeWeights(mesh, CHANGES, changeOthers);
  tally.expectUndisturbed(CALLERS);
  expectSplit(tally, CHANGES);
  expect(tally.echoed.socket).toBeGreaterThan(CHANGES);
  expect(tally.echoed.stream).toBeGreaterThan(CHANGES);
  console.log(`${tally.total} requests, ${tally.echoed.socket} echoes of one socket`);
});
