import { expect, test } from "vitest";
import { ok, type Result } from "#mesh/result.ts";
import { ManualClock, settled } from "#mesh/testing/manual-clock.ts";
import type { ContainerExit } from "./container-process.ts";
import { ContainerRunner, type RestartPolicy, type RunningContainer } from "./container-runner.ts";

/** A container whose life the test decides about. */
class FakeContainer implements RunningContainer {
  readonly #started = Promise.withResolvers<Result<number, string>>();
  readonly #exited = Promise.withResolvers<ContainerExit>();
  readonly started = this.#started.promise;
  readonly exited = this.#exited.promise;
  readonly signals: string[] = [];

  async become(started: Result<number, string>): Promise<void> {
    this.#started.resolve(started);
    await settled();
  }

  async exit(code: number): Promise<void> {
    this.#started.resolve(ok(1));
    this.#exited.resolve({ code, reason: `exit code ${code}` });
    await settled();
  }

  terminate(): void {
    this.signals.push("SIGTERM");
  }

  kill(): void {
    this.signals.push("SIGKILL");
    this.#exited.resolve({ code: 137, reason: "ended by SIGKILL" });
  }
}

const running = (policy: RestartPolicy) => {
  const clock = new ManualClock();
  const lives: FakeContainer[] = [];
  const life = (index: number): FakeContainer => lives[index] ?? expect.fail(`there was no life ${index}`);
  const start = (): FakeContainer => {
    lives.push(new FakeContainer());
    return life(lives.length - 1);
  };
  const runner = new ContainerRunner({ policy, start, clock, random: () => 0.5, onChange: () => {} });
  runner.start();
  return { clock, lives, life, runner };
};

test("it runs once its command does", async () => {
  const { life, runner } = running("Always");
  expect(runner.state).toEqual({ kind: "waiting", reason: "starting" });
  await life(0).become(ok(42));
  expect(runner.state).toEqual({ kind: "running", pid: 42, since: "2026-01-01T00:00:00.000Z" });
});

test("a container that keeps ending starts again, later and later", async () => {
  const { clock, lives, life, runner } = running("Always");
  const delays: (number | undefined)[] = [];
  for (let count = 0; count < 8; count++) {
    await life(count).exit(1);
    delays.push(clock.delaysMs[0]);
    await clock.pass(clock.delaysMs[0] ?? 0);
  }
  expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  expect([lives.length, runner.restarts]).toEqual([9, 8]);
});

test("after a long life the delays begin small again", async () => {
  const { clock, life } = running("Always");
  await life(0).exit(1);
  await clock.pass(500);
  await life(1).exit(1);
  await clock.pass(1_000);
  await clock.pass(30_000);
  await life(2).exit(1);
  expect(clock.delaysMs).toEqual([500]);
});

test.each([
  ["Always", 0, "waiting"],
  ["Always", 1, "waiting"],
  ["OnFailure", 0, "finished"],
  ["OnFailure", 1, "waiting"],
  ["Never", 0, "finished"],
  ["Never", 1, "finished"],
] as const)("with restartPolicy %s exit code %i means %s", async (policy, code, kind) => {
  const { life, runner } = running(policy);
  await life(0).exit(code);
  expect(runner.state.kind).toBe(kind);
});

test("a container that cannot be started says why", async () => {
  const { life, runner } = running("Never");
  await life(0).become({ ok: false, error: "cd: /srv: No such file or directory" });
  life(0).kill();
  await settled();
  expect(runner.state).toEqual({
    kind: "finished",
    exit: { code: 137, reason: "cd: /srv: No such file or directory" },
  });
});

test("stopping asks first, and kills after the grace period", async () => {
  const { clock, life, runner } = running("Always");
  await life(0).become(ok(42));
  const stopped = runner.stop(2_000);
  expect(life(0).signals).toEqual(["SIGTERM"]);
  await clock.pass(1_999);
  expect(life(0).signals).toEqual(["SIGTERM"]);
  await clock.pass(1);
  expect(life(0).signals).toEqual(["SIGTERM", "SIGKILL"]);
  await stopped;
});

test("a container that was stopped does not come back", async () => {
  const { clock, lives, life, runner } = running("Always");
  await life(0).exit(1);
  await runner.stop(0);
  await clock.pass(60_000);
  expect(lives).toHaveLength(1);
  expect(await runner.finished).toBeUndefined();
});

test("nor does one that ends because it was stopped", async () => {
  const { clock, lives, life, runner } = running("Always");
  await life(0).become(ok(42));
  const stopped = runner.stop(1_000);
  await life(0).exit(0);
  await stopped;
  await clock.pass(60_000);
  expect(lives).toHaveLength(1);
});
