import { expect } from "vitest";
import { chanceBound, RequestTally } from "./request-tally.ts";
import { orderlyPod, orderlyService, RequestingPods, weights } from "./requesting-pods.ts";

/** Two versions of `shop/web`, one pod each: `one` of v1, `two` of v2. */
export const twoVersions = (): RequestingPods =>
  new RequestingPods({
    "pods.yaml": orderlyPod("shop/one", 1, "v1") + orderlyPod("shop/two", 2, "v2"),
    "services.yaml": [
      orderlyService("shop/web", { app: "v1" }),
      orderlyService("shop/v1", { app: "v1" }),
      orderlyService("shop/v2", { app: "v2" }),
    ].join(""),
  });

export const CALLERS = 2;
/** Percent of v2, again and again; at both ends there is nothing to chance. */
const SHARES = [0, 50, 10, 100, 90, 30, 0, 100, 70];
const ANSWERS_EACH = 100;

/**
 * Changes the weights of a route so often under load.
 * @param between done after each change is in force
 */
export const changeWeights = async (
  mesh: RequestingPods,
  changes: number,
  between: (epoch: number) => Promise<void> = () => Promise.resolve(),
): Promise<RequestTally> => {
  const load = await mesh.requests("web", CALLERS);
  const tally = new RequestTally(load);
  await tally.more(1);
  for (let epoch = 0; epoch < changes; epoch++) {
    const share = SHARES[epoch % SHARES.length] ?? 0;
    mesh.write("route.yaml", weights(epoch, { v1: 100 - share, v2: share }));
    await tally.until(`change ${epoch} in force`, () => tally.in(String(epoch)) >= ANSWERS_EACH);
    await between(epoch);
  }
  await tally.look();
  load.end();
  return tally;
};

/** The split of each epoch is that of the weights in force, and so is the one of all together. */
export const expectSplit = (tally: RequestTally, changes: number): void => {
  let [answers, excess] = [0, 0];
  for (let epoch = 0; epoch < changes; epoch++) {
    const share = (SHARES[epoch % SHARES.length] ?? 0) / 100;
    const all = tally.in(String(epoch));
    const far = tally.in(String(epoch), "two") - all * share;
    const bound = share === 0 || share === 1 ? 0 : chanceBound(all);
    expect(Math.abs(far), `epoch ${epoch}: ${all} answers, ${100 * share} % wanted`).toBeLessThanOrEqual(bound);
    answers += all;
    excess += far;
  }
  expect(Math.abs(excess)).toBeLessThanOrEqual(chanceBound(answers));
};
