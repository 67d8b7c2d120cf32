import { expect, test } from "vitest";
import { ManualClock } from "#mesh/testing/manual-clock.ts";
import { HangWatch } from "./hang-watch.ts";

const watching = (patience?: number) => {
  const clock = new ManualClock();
  const supervisor = { isHung: false, isExpected: true, asked: 0, endedAt: [] as number[] };
  const waiting: (() => void)[] = [];
  const answer = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  const start = clock.now();
  const watch = new HangWatch({
    ask: () => {
      supervisor.asked++;
      return supervisor.isHung ? new Promise<void>((resolve) => void waiting.push(resolve)) : Promise.resolve();
    },
    isExpected: () => supervisor.isExpected,
    onHung: () => supervisor.endedAt.push((clock.now() - start) / 1000),
    clock,
    patience,
  });
  watch.start();
  return { clock, supervisor, answer, watch };
};

test("a supervisor that answers is asked every second, and let be", async () => {
  const { clock, supervisor } = watching();
  await clock.pass(60_000);
  expect(supervisor).toMatchObject({ asked: 60, endedAt: [] });
});

test("one that does not answer for ten looks is ended, and not asked again meanwhile", async () => {
  const { clock, supervisor } = watching();
  supervisor.isHung = true;
  await clock.pass(10_500);
  expect(supervisor).toMatchObject({ asked: 1, endedAt: [] });
  await clock.pass(1_000);
  expect(supervisor).toMatchObject({ asked: 1, endedAt: [11] });
});

test("an answer that is late is an answer", async () => {
  const { clock, supervisor, answer } = watching();
  supervisor.isHung = true;
  for (let turn = 0; turn < 5; turn++) {
    await clock.pass(9_000);
    answer();
  }
  expect(supervisor.endedAt).toEqual([]);
});

test("who was held up himself does not blame it", async () => {
  const { clock, supervisor } = watching();
  supervisor.isHung = true;
  await clock.pass(5_000);
  clock.jump(600_000);
  await clock.pass(5_000);
  expect(supervisor.endedAt).toEqual([]);
});

test("one that is not there, or is being replaced, is not blamed", async () => {
  const { clock, supervisor, watch } = watching();
  supervisor.isHung = true;
  supervisor.isExpected = false;
  await clock.pass(60_000);
  expect(supervisor.endedAt).toEqual([]);
  supervisor.isExpected = true;
  watch.stop();
  await clock.pass(60_000);
  expect(supervisor.endedAt).toEqual([]);
});

test("one that may be busy for longer has more looks", async () => {
  const { clock, supervisor } = watching(20);
  supervisor.isHung = true;
  await clock.pass(20_500);
  expect(supervisor.endedAt).toEqual([]);
  await clock.pass(1_000);
  expect(supervisor.endedAt).toEqual([21]);
});
