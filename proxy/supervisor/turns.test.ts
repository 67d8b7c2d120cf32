import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

test("operations of one pod are done one after the other, also after one that failed; those of others are not held up", async () => {
  const turns = new Turns();
  const done: string[] = [];
  const first = Promise.withResolvers<void>();
  const failing = turns.run("a", async () => {
    await first.promise;
    throw new Error("no");
  });
  const second = turns.run("a", async () => void done.push("a"));
  await turns.run("b", async () => void done.push("b"));
  expect([done, [...turns.uids]]).toEqual([["b"], ["a"]]);
  first.resolve();
  await expect(failing).rejects.toThrow("no");
  await second;
  expect([done, [...turns.uids]]).toEqual([["b", "a"], []]);
});

test("while it is held nothing begins; what had begun, or waited for that, is done", async () => {
  const turns = new Turns();
  const done: string[] = [];
  const begun = Promise.withResolvers<void>();
  const first = turns.run("a", () => begun.promise);
  const queued = turns.run("a", async () => void done.push("queued"));
  const { release, settled } = turns.hold();
  const late = turns.run("a", async () => void done.push("late"));
  const other = turns.run("b", async () => void done.push("other"));
  begun.resolve();
  await Promise.all([first, queued, settled]);
  expect(done).toEqual(["queued"]);
  release();
  await Promise.all([late, other]);
  expect(done).toEqual(["queued", "other", "late"]);
});
