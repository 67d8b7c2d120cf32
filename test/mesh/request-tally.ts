import { setTimeout as wait } from "node:timers/promises";
import { expect } from "vitest";
import type { Kind, RequestReport } from "../programs/request-load.ts";
import type { RequestLoad } from "./requesting-pods.ts";

const LOOK_MS = 100;
/** More than a slow machine takes until a change is in force everywhere. */
const PATIENCE_MS = 120_000;

/** What became of the requests of a load, from the beginning. */
export class RequestTally {
  readonly #load: RequestLoad;
  /** By epoch, then by pod: answers of all kinds. */
  readonly answers = new Map<string, Map<string, number>>();
  readonly answered: Record<Kind, number> = { kept: 0, session: 0, grpc: 0 };
  readonly failures: Record<string, number> = {};
  opened: RequestReport["opened"] = {};
  readonly echoed: Record<string, number> = {};

  constructor(load: RequestLoad) {
    this.#load = load;
  }

  /** Adds what happened since the last time. */
  async look(): Promise<void> {
    const { answers, failures, opened, echoed } = await this.#load.report();
    this.opened = opened;
    for (const [what, count] of Object.entries(failures)) add(this.failures, what, count);
    for (const [kind, count] of Object.entries(echoed)) add(this.echoed, kind, count);
    for (const [kind, epochs] of Object.entries(answers)) {
      for (const [epoch, pods] of Object.entries(epochs)) this.#addAnswers(kind as Kind, epoch, pods);
    }
  }

  #addAnswers(kind: Kind, epoch: string, pods: Readonly<Record<string, number>>): void {
    const known = this.answers.getOrInsertComputed(epoch, () => new Map<string, number>());
    for (const [pod, count] of Object.entries(pods)) {
      known.set(pod, (known.get(pod) ?? 0) + count);
      this.answered[kind] += count;
    }
  }

  /** How many answers a pod gave in an epoch, or all pods together. */
  in(epoch: string, pod?: string): number {
    const pods = this.answers.get(epoch);
    return pod === undefined ? sum(pods?.values() ?? []) : (pods?.get(pod) ?? 0);
  }

  /** How many answers a pod gave at all. */
  by(pod: string): number {
    return sum(Array.from(this.answers.values(), (pods) => pods.get(pod) ?? 0));
  }

  get total(): number {
    return sum(Object.values(this.answered));
  }

  /** Goes on looking until something is so. */
  async until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      await this.look();
      if (await isSo()) return;
      if (performance.now() > end)
        throw new Error(`${what}: not within ${PATIENCE_MS} ms; ${JSON.stringify(this.failures)}`);
      await wait(LOOK_MS);
    }
  }

  /** Goes on until there are so many answers of each kind more. */
  async more(count: number): Promise<void> {
    const before = { ...this.answered };
    await this.until(`${count} more answers of each kind`, () =>
      (Object.keys(before) as Kind[]).every((kind) => this.answered[kind] >= before[kind] + count),
    );
  }

  /** Every request was answered with success, on the connections of the beginning. @param callers of the load */
  expectUndisturbed(callers: number): void {
    expect(this.failures).toEqual({});
    expect(this.opened).toEqual({ kept: callers, session: 1, socket: 1, stream: 1 });
  }
}

const add = (counts: Record<string, number>, what: string, count: number): void =>
  void (counts[what] = (counts[what] ?? 0) + count);

const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0);

/** How often a bound is to be broken by chance: less than once in a thousand years of runs. */
const ERROR_PROBABILITY = 1e-12;

/**
 * How far from its expectation the number of successes of independent trials may be.
 * Hoeffding: P(|k - E k| >= d) <= 2 exp(-2 d^2 / n), whatever the probability of each trial is.
 */
export const chanceBound = (trials: number): number => Math.sqrt((trials * Math.log(2 / ERROR_PROBABILITY)) / 2);
