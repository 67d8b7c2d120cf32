import { expect, test } from "vitest";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { memoryLog } from "../testing/memory-log.ts";
import { RefusalLog } from "./refusal-log.ts";

test("callers without end make a line a second, which counts the others", () => {
  const [clock, log] = [new ManualClock(), memoryLog()];
  const refusals = new RefusalLog(log, clock);
  for (let count = 0; count < 1_000; count++) refusals.refused({ peer: "p" }, "refused");
  expect(log.lines.length).toBe(20);
  clock.advance(1_000);
  refusals.refused({ peer: "p" }, "refused");
  clock.advance(1_000);
  refusals.refused({ peer: "p" }, "refused");
  expect(log.lines.slice(20).map(({ facts }) => facts)).toEqual([{ peer: "p", untold: 980 }, { peer: "p" }]);
});
