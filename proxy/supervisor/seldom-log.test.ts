import { expect, test } from "vitest";
import { seldomLog } from "./seldom-log.ts";

test("what happens again at once is said later, once, with how often it was not said", () => {
  const said: unknown[] = [];
  let now = 0;
  const log = seldomLog(
    (...line) => said.push(line),
    () => now,
    1_000,
  );
  for (now of [0, 1, 999, 1_000, 5_000]) log("error", "no sockets", { at: now });
  expect(said).toEqual([
    ["error", "no sockets", { at: 0 }],
    ["error", "no sockets", { at: 1_000, unsaid: 2 }],
    ["error", "no sockets", { at: 5_000 }],
  ]);
});
