import * as fc from "fast-check";
import { expect, test } from "vitest";
import { chooseHome, type WorkerLoad } from "./homes.ts";

const worker = (index: number, changes: Partial<WorkerLoad> = {}): WorkerLoad => ({
  index,
  isolated: false,
  pods: 0,
  sockets: 0,
  ...changes,
});

test.each([
  ["of equals the first is taken", [worker(1), worker(0), worker(2)], 0],
  ["the one with the fewest pods is taken", [worker(0, { pods: 2 }), worker(1, { pods: 1 })], 1],
  ["load counts before pods", [worker(0, { pods: 1, sockets: 5_000 }), worker(1, { pods: 9 })], 1],
  ["loads that hardly differ are the same", [worker(0, { pods: 1 }), worker(1, { pods: 0, sockets: 999 })], 1],
  ["a step of 1,000 sockets is a difference", [worker(0, { pods: 1 }), worker(1, { pods: 0, sockets: 1_000 })], 0],
  ["a worker for pods that crash takes no others", [worker(0, { isolated: true }), worker(1, { sockets: 1e6 })], 1],
] as const)("%s", (_, workers, home) => {
  expect(chooseHome(workers)).toBe(home);
});

test("without a worker that takes pods there is no home", () => {
  expect(() => chooseHome([])).toThrow("there is no worker that takes pods");
  expect(() => chooseHome([worker(0, { isolated: true })])).toThrow("there is no worker that takes pods");
});

test("pods that come one after another are spread evenly, in whatever order the workers are named", () => {
  const property = fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 1 }), fc.nat(40), (indexes, pods) => {
    const counts = new Map(indexes.map((index) => [index, 0]));
    for (let pod = 0; pod < pods; pod++) {
      const home = chooseHome(indexes.map((index) => worker(index, { pods: counts.get(index) ?? 0 })));
      counts.set(home, (counts.get(home) ?? 0) + 1);
    }
    expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThan(2);
  });
  fc.assert(property);
});
