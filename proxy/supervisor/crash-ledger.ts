/** How long a crash counts against the pods that were there. */
const MEMORY_MS = 10 * 60_000;
/** With so many suspects or fewer each gets a worker of its own; with more they are parted, and parted again. */
const FEW_SUSPECTS = 3;

/**
 * Remembers which pods were served by workers that crashed, so that one pod whose bytes crash workers ends up alone with its
 * worker and takes nobody along.
 */
export class CrashLedger {
  readonly #now: () => number;
  readonly #crashes = new Map<string, number[]>();

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Notes a crash.
   * @param pods uids of all pods of the worker: it cannot say which of them it was
   * @returns groups of pods that are to move, each group into a new worker
   */
  record(pods: readonly string[]): readonly (readonly string[])[] {
    const now = this.#now();
    const suspects = pods.filter((pod) => this.#count(pod, now) >= 2);
    if (pods.length <= 1 || suspects.length === 0) return [];
    if (suspects.length <= FEW_SUSPECTS) return suspects.map((pod) => [pod]);
    return [suspects.slice(Math.ceil(suspects.length / 2))];
  }

  /** Forgets a pod that is gone. */
  forget(pod: string): void {
    this.#crashes.delete(pod);
  }

  #count(pod: string, now: number): number {
    const times = [...(this.#crashes.get(pod) ?? []).filter((time) => now - time < MEMORY_MS), now];
    this.#crashes.set(pod, times);
    return times.length;
  }
}
