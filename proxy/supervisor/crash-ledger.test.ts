import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CrashLedger } from "./crash-ledger.ts";

const MINUTE_MS = 60_000;

const ledgerAt = (start = 0) => {
  const time = { now: start };
  return { time, ledger: new CrashLedger(() => time.now) };
};

test("one crash moves nobody; with the second each of up to three suspects gets a worker of its own", () => {
  for (const pods of [
    ["a", "b"],
    ["a", "b", "c"],
  ]) {
    const { ledger } = ledgerAt();
    expect(ledger.record(pods)).toEqual([]);
    expect(ledger.record(pods)).toEqual(pods.map((pod) => [pod]));
  }
});

test("only those that were there both times are suspects", () => {
  const { ledger } = ledgerAt();
  ledger.record(["a", "b"]);
  expect(ledger.record(["b", "c"])).toEqual([["b"]]);
});

test("of many suspects the second half goes to another worker, together", () => {
  const { ledger } = ledgerAt();
  const pods = ["a", "b", "c", "d", "e"];
  ledger.record(pods);
  expect(ledger.record(pods)).toEqual([["d", "e"]]);
});

test("a pod that is alone with its worker stays there, however often it crashes", () => {
  const { ledger } = ledgerAt();
  for (let crash = 0; crash < 5; crash++) expect(ledger.record(["a"])).toEqual([]);
  expect(ledger.record([])).toEqual([]);
});

test("a crash counts for ten minutes", () => {
  const { ledger, time } = ledgerAt();
  ledger.record(["a", "b"]);
  time.now = 10 * MINUTE_MS;
  expect(ledger.record(["a", "b"])).toEqual([]);
  time.now = 20 * MINUTE_MS - 1;
  expect(ledger.record(["a", "b"])).toEqual([["a"], ["b"]]);
});

test("a pod that is gone is forgotten: another of the same name starts anew", () => {
  const { ledger } = ledgerAt();
  ledger.record(["a", "b"]);
  ledger.forget("a");
  expect(ledger.record(["a", "b"])).toEqual([["b"]]);
});

test("the one pod that crashes workers ends up alone, whoever it lives with, and takes few along on its way", () => {
  const property = fc.property(fc.integer({ min: 2, max: 60 }), fc.nat(), (size, seed) => {
    const { ledger } = ledgerAt();
    const all = Array.from({ length: size }, (_, index) => String(index));
    const culprit = String(seed % size);
    let together: readonly string[] = all;
    let crashes = 0;
    while (together.length > 1 && crashes < 20) {
      const groups = ledger.record(together);
      crashes++;
      const moved = groups.find((group) => group.includes(culprit));
      const gone = new Set(groups.flat());
      together = moved ?? together.filter((pod) => !gone.has(pod));
    }
    expect(together).toEqual([culprit]);
    expect(crashes).toBeLessThan(10);
  });
  fc.assert(property);
});
